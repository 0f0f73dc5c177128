select
  count(*) as stories,
  extract(epoch from cast(:as_of as timestamptz) - min(available_at)) as oldest_s
from score_queue
where (cast(:queue_model_id as integer) is null and model_version_id is null) or model_version_id = :queue_model_id
