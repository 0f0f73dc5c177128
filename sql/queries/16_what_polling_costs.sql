-- What does polling cost, and what does it bring (last 7 days, per feed)?
select feed, sum(polls) as polls, round(sum(not_modified) / sum(polls), 2) as not_modified_share, sum(errors) as errors,
       sum(new) as new_articles, round(sum(bytes_wire) / 1e6, 1) as megabytes
from analytics.feed_days
where start_at >= date_trunc('day', now(), 'UTC') - interval '168 hours'
group by feed
order by megabytes desc;
