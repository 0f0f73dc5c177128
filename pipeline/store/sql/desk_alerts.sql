-- Alerts, newest first, one page after a cursor.
select alert.id, alert.series_id, series.kind, series.key, series.title, alert.state, alert.severity, alert.pending_at,
       alert.fired_at, alert.resolved_at, alert.acknowledged_at, alert.acknowledged_by, alert.silenced, alert.told, alert.cause,
       alert.peak_score, alert.reopened, alert.inhibited_by, alert.evidence, alert.is_test,
       (select count(*) from feedback where feedback.alert_id = alert.id and feedback.kind = 'useful') as useful,
       (select count(*) from feedback where feedback.alert_id = alert.id and feedback.kind = 'noise') as noise
from alerts as alert
join series on series.id = alert.series_id
where (cast(:open as boolean) is null or (alert.state <> 'resolved') = :open)
  and (cast(:after_id as bigint) is null or alert.id < :after_id)
  and (cast(:series_id as integer) is null or alert.series_id = :series_id)
  and (cast(:severity as text) is null or alert.severity = :severity)
  and (cast(:since as timestamptz) is null or alert.pending_at >= :since)
  and (cast(:as_of as timestamptz) is null or alert.pending_at <= :as_of)
order by alert.id desc
limit :limit
