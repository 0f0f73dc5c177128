-- Which series had a day below what is usual for them (last 7 days, at least five stories)?
select (start_at at time zone 'UTC')::date as day, kind, title, stories, round(sentiment_index::numeric, 2) as sentiment_index,
       round(expected_low::numeric, 2) as expected_low, round(expected_index::numeric, 2) as expected_index
from analytics.sentiment_daily_expected
where start_at >= now() - interval '7 days' and stories >= 5 and days >= 7 and sentiment_index < expected_low
order by sentiment_index - expected_low
limit 50;
