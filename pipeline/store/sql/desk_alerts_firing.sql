-- What fires or is held, for the overview: the worst first, then the newest; what another alert stands for and tests last.
select alert.id, series.title, alert.state, alert.severity, alert.pending_at, alert.fired_at, alert.acknowledged_at,
       alert.acknowledged_by, alert.peak_score, alert.evidence
from alerts as alert
join series on series.id = alert.series_id
where alert.state in ('firing', 'held')
order by alert.is_test, alert.inhibited_by is not null and not alert.told, alert.severity = 'critical' desc,
         coalesce(alert.fired_at, alert.pending_at) desc, alert.id desc
limit :limit
