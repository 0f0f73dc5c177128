-- The worst alerts of [start, end), each with the number of all and of all critical ones: what follows the last is counted too.
select a.id, s.kind as series_kind, s.title, a.severity, a.state, a.cause, a.fired_at, a.resolved_at,
       a.acknowledged_by, a.inhibited_by is not null as inhibited, a.silenced,
       a.evidence -> 'negative' as negative, a.evidence -> 'expected' as expected,
       a.evidence -> 'stories' -> 0 ->> 'title' as top_story,
       (select count(*) from feedback f where f.alert_id = a.id and f.kind = 'useful') as useful,
       (select count(*) from feedback f where f.alert_id = a.id and f.kind = 'noise') as noise,
       count(*) over () as all_alerts,
       count(*) filter (where a.severity = 'critical') over () as all_critical
from alerts a
join series s on s.id = a.series_id
where a.fired_at >= :start and a.fired_at < :end and not a.is_test
order by (a.severity = 'critical') desc, a.peak_score desc, a.id
limit 50
