-- Lifting a silence sets its end. One lifted before it began keeps its end, as all did that were lifted before lifting was
-- told of: none of these is told.
select s.id, s.series_kind, s.series_key, s.starts_at, s.ends_at, s.created_by, s.reason,
       (select coalesce(jsonb_agg(jsonb_build_object(
                 'id', a.id, 'title', r.title, 'severity', a.severity, 'state', a.state, 'fired_at', a.fired_at)
               order by a.id), '[]')
        from alerts a
        join series r on r.id = a.series_id
        where a.silenced and not a.is_test and a.fired_at is not null
          and a.fired_at < s.ends_at and coalesce(a.resolved_at, s.ends_at) > s.starts_at
          and (s.series_kind is null or r.kind = s.series_kind)
          and (s.series_key is null or r.key = s.series_key)) as held_back
from silences s
where s.ends_at <= :as_of and s.expiry_told_at is null
  and (s.cancelled_at is null or s.ends_at <= s.cancelled_at)
order by s.id
for update of s skip locked
