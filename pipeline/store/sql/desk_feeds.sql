select feed.id, feed.name, feed.title, feed.url, feed.enabled, feed.paused_at, feed.origin, feed.tags, coalesce(state.status, 'ok') as status,
       state.error_class, state.error_message, coalesce(state.error_count, 0) as error_count, state.last_attempt_at,
       state.last_ok_at, state.last_new_item_at, state.next_due_at, state.next_due_reason, state.median_gap_s,
       coalesce(polls.polls, 0) as polls, coalesce(polls.errors, 0) as errors, coalesce(polls.new, 0) as new,
       -- as pipeline/ingest/health.py has it, where the operator is told
       coalesce(state.status = 'ok' and state.last_ok_at is not null and :as_of - coalesce(state.last_new_item_at, feed.added_at)
                > greatest(make_interval(secs => 5 * state.median_gap_s), interval '72 hours'), false) as silent
from feeds as feed
left join feed_states as state on state.feed_id = feed.id
left join lateral (
  select count(*), count(*) filter (where poll.outcome = 'error'), sum(poll.new)
  from feed_fetches as poll
  where poll.feed_id = feed.id and poll.started_at >= cast(:as_of as timestamptz) - interval '24 hours'
) as polls (polls, errors, new) on true
where feed.removed_at is null and feed.origin <> 'import'
order by feed.name
