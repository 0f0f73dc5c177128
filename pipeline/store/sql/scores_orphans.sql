-- Batches whose worker died: nobody holds their advisory lock any more.
select id, story_ids, queue_model_id from score_batches where pg_try_advisory_xact_lock(id) for update skip locked
