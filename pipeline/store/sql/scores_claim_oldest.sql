-- Claims are row locks: they end with the transaction, also when its worker dies.
select q.id, q.story_id
from score_queue q
where q.model_version_id is not distinct from :queue_model_id
  and q.attempts >= :min_attempts and q.attempts < :max_attempts
order by q.available_at
limit :limit
for update skip locked
