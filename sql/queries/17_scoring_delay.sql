-- How long did stories wait for their verdict (last 24 hours, seconds)?
-- Until the first one: a new champion reads the last days again, and nobody waited for that.
select date_trunc('hour', first_seen_at, 'UTC') as hour, count(*) as stories,
       percentile_cont(0.5) within group (order by extract(epoch from first_scored_at - first_seen_at)) as median_s,
       percentile_cont(0.95) within group (order by extract(epoch from first_scored_at - first_seen_at)) as p95_s
from analytics.scored_stories
where available_at >= now() - interval '24 hours' and not backfilled
group by hour
order by hour;
