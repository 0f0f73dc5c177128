-- What did we know yesterday at 14:00 UTC about everything, hour by hour of the day before?
-- Only stories seen and scores written by then count; the answer never changes later.
select start_at, stories, negative, round(negative_share::numeric, 2) as negative_share,
       round(sentiment_index::numeric, 2) as sentiment_index
from analytics.sentiment_asof(date_trunc('day', now(), 'UTC') - interval '10 hours');
