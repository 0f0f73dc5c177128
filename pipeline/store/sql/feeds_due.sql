-- A healthy feed that is due within 30 s is due now: the scheduler comes by every few minutes only. So is one that was polled
-- in the future: the clock ran ahead then, and what is due by it would wait until that time comes. (The real time as well as
-- :as_of says so: a replay finds nothing due that was polled since.)
select feed.id, feed.url
from feeds as feed
left join feed_states as state on state.feed_id = feed.id
where feed.enabled and feed.paused_at is null and feed.removed_at is null and feed.origin <> 'import'
  and coalesce(state.status, 'ok') not in ('gone', 'dead')
  and (coalesce(state.next_due_at, '-infinity') <= cast(:as_of as timestamptz) + case when state.status = 'ok' then interval '30 seconds' else interval '0' end
       or state.last_attempt_at > greatest(cast(:as_of as timestamptz), clock_timestamp()) + interval '15 minutes')
order by state.next_due_at nulls first, feed.id
