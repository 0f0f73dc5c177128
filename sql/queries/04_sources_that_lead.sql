-- Which outlets tell first what at least three outlets repeat (last 7 days)?
select source, count(*) as stories_led, round(avg(sources - 1), 1) as mean_outlets_following,
       round(avg((sentiment = 'negative')::integer), 2) as negative_share
from analytics.scored_stories
where available_at >= now() - interval '7 days' and sources > 3
group by source
order by stories_led desc
limit 20;
