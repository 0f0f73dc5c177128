-- At which hours does news arrive, and how bad is it (last 28 days, UTC)?
select extract(hour from start_at)::integer as hour, round(avg(stories), 1) as stories_an_hour,
       round(sum(negative)::numeric / sum(stories), 3) as negative_share
from analytics.sentiment_hourly
where kind = 'all' and start_at >= now() - interval '28 days'
group by hour
order by hour;
