-- Sentiment index of each sector, day by day (last 14 days).
select title as sector, (start_at at time zone 'UTC')::date as day, stories, round(sentiment_index::numeric, 2) as sentiment_index
from analytics.sentiment_daily
where kind = 'sector' and start_at >= now() - interval '14 days'
order by sector, day;
