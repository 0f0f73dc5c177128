-- A row that was tried keeps its own message: it may have arrived. An older row that waits for quiet hours to end goes
-- with a newer one that is due: a rise to critical must not wait for its warning. A row that is locked is being withdrawn.
with unlocked as (
  select id, alert_id, not_before_at
  from notifications
  where receiver = :receiver and state = 'pending' and told_with_id is null and attempts = 0
    and kind in ('open', 'rise', 'resolve') and alert_id is not null
  order by id
  for update skip locked
),
waiting as (
  select id, max(id) filter (where not_before_at <= :as_of) over (partition by alert_id) as newest_id
  from unlocked
),
folded as (
  update notifications n set told_with_id = w.newest_id
  from waiting w
  where n.id = w.id and w.id < w.newest_id
  returning n.id, w.newest_id
)
-- what was folded into a row that is folded now moves on with it
update notifications n set told_with_id = f.newest_id
from folded f
where n.told_with_id = f.id
