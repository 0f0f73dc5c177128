-- Which companies moved most: the last 24 hours against the seven UTC days before yesterday?
with today as (
  select series_id, title, sum(stories) as stories, sum(positive - negative) as net
  from analytics.sentiment_hourly
  where kind = 'company' and start_at >= now() - interval '24 hours'
  group by series_id, title
), before as (
  select series_id, sum(stories) as stories, sum(positive - negative) as net
  from analytics.sentiment_daily
  where kind = 'company' and start_at >= date_trunc('day', now(), 'UTC') - interval '192 hours'
    and start_at < date_trunc('day', now(), 'UTC') - interval '24 hours'
  group by series_id
)
select title, today.stories as stories_today, round(today.net::numeric / today.stories, 2) as index_today,
       round(before.net::numeric / before.stories, 2) as index_before,
       round(today.net::numeric / today.stories - before.net::numeric / before.stories, 2) as change
from today
join before using (series_id)
where today.stories >= 3 and before.stories >= 3
order by abs(today.net::numeric / today.stories - before.net::numeric / before.stories) desc
limit 20;
