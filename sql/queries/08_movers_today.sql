-- Which companies moved most: the last 24 hours against the seven days before?
with spans as (
  select series_id, title,
         sum(stories) filter (where start_at >= now() - interval '24 hours') as stories_today,
         sum(positive - negative) filter (where start_at >= now() - interval '24 hours') as net_today,
         sum(stories) filter (where start_at < now() - interval '24 hours') as stories_before,
         sum(positive - negative) filter (where start_at < now() - interval '24 hours') as net_before
  from analytics.sentiment_hourly
  where kind = 'company' and start_at >= now() - interval '8 days'
  group by series_id, title
)
select title, stories_today, round(net_today::numeric / stories_today, 2) as index_today,
       round(net_before::numeric / stories_before, 2) as index_before,
       round(net_today::numeric / stories_today - net_before::numeric / stories_before, 2) as change
from spans
where stories_today >= 3 and stories_before >= 3
order by abs(net_today::numeric / stories_today - net_before::numeric / stories_before) desc
limit 20;
