-- Also true while dead batches wait to be accounted for. Counting a queue of millions takes seconds, this does not.
select exists (
  select from score_queue
  where (cast(:queue_model_id as integer) is null and model_version_id is null) or model_version_id = :queue_model_id
) or exists (select from score_batches)
