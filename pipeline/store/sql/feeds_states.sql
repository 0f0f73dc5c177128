-- Configuration and polling state of the feeds, for one transaction that will store their outcome.
select feed.id, feed.name, feed.url, feed.title, feed.language, feed.default_tz, feed.min_interval_s, feed.user_agent,
       feed.may_store_body, feed.full_text, feed.origin, state.*
from feeds as feed
join feed_states as state on state.feed_id = feed.id
where feed.id = any(cast(:feed_ids as integer[]))
order by feed.id
