-- At which hours does news arrive, and how bad is it (last 28 days, UTC)?
-- An hour without news has no row in the view, and is one with 0 stories here, from the first news of the period on.
with counted as (
  select start_at, stories, negative
  from analytics.sentiment_hourly
  where kind = 'all' and start_at >= now() - interval '28 days'
), every_hour as (
  select generate_series(min(start_at), now(), interval '1 hour') as start_at from counted
)
select extract(hour from start_at at time zone 'UTC')::integer as hour,
       round(avg(coalesce(stories, 0)), 1) as stories_an_hour,
       round(sum(negative)::numeric / sum(stories), 3) as negative_share
from every_hour
left join counted using (start_at)
group by hour
order by hour;
