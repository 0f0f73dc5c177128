select alert.id, series.kind, series.key, series.title, alert.state, alert.severity, alert.pending_at, alert.fired_at,
       alert.resolved_at, alert.acknowledged_by, alert.told, alert.silenced, alert.cause, alert.inhibited_by,
       alert.peak_score, alert.is_test, alert.evidence -> 'negative' as negative, alert.evidence -> 'expected' as expected
from alerts as alert
join series on series.id = alert.series_id
where (cast(:open as boolean) is null or (alert.state <> 'resolved') = :open)
  and (alert.fired_at is not null or alert.state = 'pending' or alert.is_test)
  and (cast(:since as timestamptz) is null or coalesce(alert.resolved_at, alert.pending_at) >= :since)
order by alert.state = 'resolved', coalesce(alert.fired_at, alert.pending_at) desc, alert.id desc
limit :limit
