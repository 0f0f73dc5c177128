-- The worst stories of the last 24 hours: surely negative, and told by many outlets.
select story_id, available_at, title, source, sources, round(negative::numeric, 2) as negative, topics
from analytics.scored_stories
where available_at >= now() - interval '24 hours' and sentiment = 'negative'
order by negative * ln(1 + sources) desc
limit 20;
