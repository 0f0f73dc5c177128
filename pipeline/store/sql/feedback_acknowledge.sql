-- The first who takes it has it; a resolved alert needs nobody.
with taken as (
  update alerts set acknowledged_at = :as_of, acknowledged_by = :given_by
  where id = :alert_id and acknowledged_at is null and state <> 'resolved'
  returning id, severity
)
insert into alert_events (alert_id, at, kind, severity, actor, detail)
select id, :as_of, 'acknowledge', severity, :given_by, jsonb_build_object('via', cast(:via as text))
from taken
