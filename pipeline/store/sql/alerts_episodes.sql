-- The open alert of each series, or else the newest one that resolved lately enough to be reopened; with its last
-- opening or rise. A reopening is an opening where it was told, or where nobody was told of the alert before.
select alert.*, shown.id as shown_event_id, shown.at as shown_at
from (
  select distinct on (series_id) id, series_id, memory, told, silenced, evidence ? 'learning' as learning, inhibited_by,
         cause, model_version_id
  from alerts
  where not is_test and (state <> 'resolved' or resolved_at >= :since)
  order by series_id, (state <> 'resolved') desc, id desc
) as alert
left join lateral (
  select event.id, event.at from alert_events as event
  where event.alert_id = alert.id and (
    event.kind in ('open', 'rise')
    or event.kind = 'reopen' and (
      not alert.told
      or exists (
        select from notifications as message
        where message.alert_id = alert.id and message.alert_event_id = event.id)))
  order by event.id desc limit 1
) as shown on true
