-- Which stories were copied most (last 7 days)?
select title, source as first_told_by, copies, sources, last_seen_at - first_seen_at as spread_over, sentiment
from analytics.scored_stories
where available_at >= now() - interval '7 days' and copies >= 3
order by copies desc
limit 20;
