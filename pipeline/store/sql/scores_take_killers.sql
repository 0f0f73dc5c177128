delete from score_queue where attempts >= :deaths returning story_id, model_version_id, attempts
