update score_queue q
set attempts = q.attempts + 1
from (
  select id from score_queue
  where story_id = any(:ids) and model_version_id is not distinct from cast(:queue_model_id as integer)
  for update skip locked
) as held
where q.id = held.id
