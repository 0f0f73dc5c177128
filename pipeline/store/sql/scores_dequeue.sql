-- What a version need not read any more. Rows that a worker holds are left to it, so that nobody waits for its batch.
delete from score_queue where id in (
  select id from score_queue where model_version_id = :model_version_id for update skip locked
)
