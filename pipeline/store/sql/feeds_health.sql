-- Per feed: its state, and its polls of the last day and of the two weeks before.
select feed.id as feed_id, feed.name, feed.url, state.status, state.error_class, state.error_message, state.error_count,
  state.first_error_at, state.last_ok_at, state.last_new_item_at, state.median_gap_s, state.health_told, feed.added_at,
  coalesce(day.new, 0) as new_24h, coalesce(day.bad_dates, 0) as bad_dates_24h, coalesce(day.seen, 0) as seen_24h,
  coalesce(day.duplicate, 0) as duplicate_24h, coalesce(day.rejected, 0) as rejected_24h,
  lengths.recent_chars, lengths.usual_chars
from feeds as feed
join feed_states as state on state.feed_id = feed.id
left join lateral (
  select sum(new) as new, sum(bad_dates) as bad_dates, sum(seen) as seen, sum(duplicate) as duplicate, sum(rejected) as rejected
  from feed_fetches as poll
  where poll.feed_id = feed.id and poll.started_at > :as_of - interval '24 hours' and poll.started_at <= :as_of
) as day on true
left join lateral (
  select percentile_cont(0.5) within group (order by chars) filter (where seen > :as_of - interval '24 hours') as recent_chars,
    percentile_cont(0.5) within group (order by chars) filter (where seen <= :as_of - interval '24 hours') as usual_chars
  from (
    select length(summary) + coalesce(length(body), 0) as chars, first_seen_at as seen
    from articles where feed_id = feed.id and first_seen_at > :as_of - interval '14 days' and first_seen_at <= :as_of
    order by first_seen_at desc limit 500
  ) as recent
) as lengths on true
where feed.enabled and feed.paused_at is null and feed.removed_at is null and feed.origin <> 'import'
order by feed.name
