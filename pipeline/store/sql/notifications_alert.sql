select a.id, s.kind as series_kind, s.key as series_key, s.title as series_title, a.state, a.severity, a.fired_at,
       a.resolved_at, a.acknowledged_by, a.is_test,
       coalesce(
         (select n.payload from notifications n
          where n.alert_id = a.id and n.kind in ('open', 'rise', 'resolve', 'test') and n.payload ? 'score'
          order by cast(n.payload ->> 'score' as double precision) desc, n.id
          limit 1),
         a.evidence) as peak,
       array(
         select under.title from alerts i join series under on under.id = i.series_id
         where i.inhibited_by = a.id order by i.peak_score desc, i.id) as stands_for
from alerts a
join series s on s.id = a.series_id
where a.id = :alert_id
