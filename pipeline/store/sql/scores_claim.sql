-- Claims are row locks: they end with the transaction, also when its worker dies.
-- The driver writes the parameters into the statement, so the planner folds the `or` away and walks a partial index
-- (`is not distinct from` would read the whole table).
select q.story_id, q.available_at
from score_queue q
where ((cast(:queue_model_id as integer) is null and q.model_version_id is null) or q.model_version_id = :queue_model_id)
  and q.available_at >= :from_at and q.available_at <= :until_at
  and q.attempts >= :min_attempts and q.attempts < :max_attempts
order by q.available_at desc
limit :limit
for update skip locked
