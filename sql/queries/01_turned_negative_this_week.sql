-- Which companies turned negative this week?
-- At least five stories in each week, so that one headline does not decide.
with weeks as (
  select series_id, title, start_at >= now() - interval '7 days' as this_week,
         sum(positive - negative)::double precision / sum(stories) as sentiment_index, sum(stories) as stories
  from analytics.sentiment_daily
  where kind = 'company' and start_at >= now() - interval '14 days'
  group by series_id, title, this_week
  having sum(stories) >= 5
)
select this.title, round(before.sentiment_index::numeric, 2) as index_before, round(this.sentiment_index::numeric, 2) as index_now,
       this.stories
from weeks as this
join weeks as before using (series_id)
where this.this_week and not before.this_week and this.sentiment_index < 0 and before.sentiment_index >= 0
order by this.sentiment_index - before.sentiment_index;
