-- Batches whose worker died: nobody holds their advisory lock any more.
select id, story_ids from score_batches where pg_try_advisory_xact_lock(id) for update skip locked
