-- How long did stories wait for their verdict (last 24 hours, seconds)?
select date_trunc('hour', first_seen_at) as hour, count(*) as stories,
       percentile_cont(0.5) within group (order by extract(epoch from scored_at - first_seen_at)) as median_s,
       percentile_cont(0.95) within group (order by extract(epoch from scored_at - first_seen_at)) as p95_s
from analytics.scored_stories
where available_at >= now() - interval '24 hours' and not backfilled
group by hour
order by hour;
