select n.id, n.kind, n.receiver, n.idempotency_key, n.payload, n.created_at, n.first_attempt_at, n.attempts, n.error,
       n.alert_id, t.external_id as thread
from notifications n
left join message_threads t on t.alert_id = n.alert_id and t.receiver = n.receiver
where n.receiver = :receiver and n.state = 'pending' and n.told_with_id is null and n.not_before_at <= :as_of
  and not exists (
    select 1 from notifications earlier
    where earlier.alert_id = n.alert_id and earlier.receiver = n.receiver and earlier.id < n.id
      and earlier.state = 'pending' and earlier.told_with_id is null)
order by n.not_before_at, n.id
limit 1
for update of n skip locked
