-- Share of negative stories in [start, end) against [before, start), where at least five stories are negative.
-- Over all models: live counts stand under the one that was champion when they came, and a story is live once.
with counted as (
  select w.series_id,
         coalesce(sum(w.negative) filter (where w.window_start >= :start), 0) as negative,
         coalesce(sum(w.negative + w.other) filter (where w.window_start >= :start), 0) as stories,
         coalesce(sum(w.negative) filter (where w.window_start < :start), 0) as negative_before,
         coalesce(sum(w.negative + w.other) filter (where w.window_start < :start), 0) as stories_before
  from windows w
  where w.window_start >= :before and w.window_start < :end
  group by w.series_id
)
select s.kind, s.title, c.negative, c.stories, c.negative_before, c.stories_before
from counted c
join series s on s.id = c.series_id
where s.kind <> 'all' and c.negative >= 5
order by c.negative - c.negative_before desc, c.negative desc, s.title
limit 8
