with gone as (delete from score_batches where id = :batch_id)
delete from score_queue
where story_id = any(cast(:ids as bigint[])) and model_version_id is not distinct from cast(:queue_model_id as integer)
