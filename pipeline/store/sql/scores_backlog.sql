select
  count(*) as stories,
  extract(epoch from cast(:as_of as timestamptz) - min(available_at)) as oldest_s
from score_queue
where model_version_id is not distinct from :queue_model_id
