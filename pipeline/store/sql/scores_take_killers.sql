-- Those of the live queue belong to the champion, and stay while it is not known.
delete from score_queue
where attempts >= :deaths and coalesce(model_version_id, cast(:champion_id as integer)) is not null
returning story_id, coalesce(model_version_id, cast(:champion_id as integer)) as model_version_id, attempts
