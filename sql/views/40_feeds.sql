-- Health of the feeds, and what each day brought. `now` is the database's clock.

create view analytics.feed_health as
select feed.id as feed_id, feed.name, feed.title, feed.url, feed.enabled, feed.paused_at, coalesce(state.status, 'ok') as status,
       state.last_attempt_at, state.last_ok_at, state.last_new_item_at, state.next_due_at, state.next_due_reason,
       state.error_class, state.error_message, coalesce(state.error_count, 0) as error_count,
       state.median_gap_s / 60 as usual_gap_minutes,
       extract(epoch from now() - state.last_new_item_at)::double precision / 60 as silent_minutes,
       -- as pipeline/ingest/health.py has it, where the operator is told
       coalesce(state.status = 'ok' and state.last_ok_at is not null and now() - coalesce(state.last_new_item_at, feed.added_at)
                > greatest(make_interval(secs => 5 * state.median_gap_s), interval '72 hours'), false) as silent,
       coalesce(polls.polls, 0) as polls_24h, coalesce(polls.errors, 0) as errors_24h,
       coalesce(polls.articles, 0) as articles_24h,
       polls.bad_dates::double precision / nullif(polls.articles, 0) as bad_date_share_24h,
       polls.duplicates::double precision / nullif(polls.seen, 0) as duplicate_share_24h
from feeds as feed
left join feed_states as state on state.feed_id = feed.id
left join lateral (
  select count(*), count(*) filter (where poll.outcome = 'error'), sum(poll.new), sum(poll.bad_dates),
         sum(poll.duplicate), sum(poll.seen)
  from feed_fetches as poll
  where poll.feed_id = feed.id and poll.started_at >= now() - interval '24 hours'
) as polls (polls, errors, articles, bad_dates, duplicates, seen) on true
where feed.removed_at is null and feed.origin <> 'import';
comment on view analytics.feed_health is 'Each feed that is configured now: how it does, when it is due and why.';
comment on column analytics.feed_health.feed_id is 'The feed.';
comment on column analytics.feed_health.name is 'Its short name.';
comment on column analytics.feed_health.title is 'Title of the outlet.';
comment on column analytics.feed_health.url is 'Address that is fetched now.';
comment on column analytics.feed_health.enabled is 'False: switched off in feeds.toml, not polled.';
comment on column analytics.feed_health.paused_at is 'When a person paused its polling at the desk, UTC; null: not paused.';
comment on column analytics.feed_health.status is 'ok, backing_off, rate_limited, gone, challenge, dead.';
comment on column analytics.feed_health.last_attempt_at is 'Last poll, UTC.';
comment on column analytics.feed_health.last_ok_at is 'Last poll that ended well, UTC.';
comment on column analytics.feed_health.last_new_item_at is 'Last poll that brought a new article, UTC.';
comment on column analytics.feed_health.next_due_at is 'Next poll, UTC; null: at once.';
comment on column analytics.feed_health.next_due_reason is 'The rule that set it.';
comment on column analytics.feed_health.error_class is 'Class of the last error; null when the last poll was fine.';
comment on column analytics.feed_health.error_message is 'One line of it.';
comment on column analytics.feed_health.error_count is 'Errors in a row.';
comment on column analytics.feed_health.usual_gap_minutes is 'Median gap between its last articles, minutes.';
comment on column analytics.feed_health.silent_minutes is 'Since its last new article, minutes.';
comment on column analytics.feed_health.silent is 'True: it answers, but brought nothing new for more than five usual gaps and more than 72 h.';
comment on column analytics.feed_health.polls_24h is 'Polls in the last 24 h.';
comment on column analytics.feed_health.errors_24h is 'Polls of those that failed.';
comment on column analytics.feed_health.articles_24h is 'New articles in the last 24 h.';
comment on column analytics.feed_health.bad_date_share_24h is 'Share of those without a usable date, 0 to 1.';
comment on column analytics.feed_health.duplicate_share_24h is 'Share of items that repeat another item of the same document, 0 to 1.';

create view analytics.feed_days as
select feed.id as feed_id, feed.name as feed, date_bin('1 day', poll.started_at, 'epoch') as start_at,
       count(*) as polls, count(*) filter (where poll.outcome = 'not_modified') as not_modified,
       count(*) filter (where poll.outcome = 'error') as errors, sum(poll.new) as new, sum(poll.revised) as revised,
       sum(poll.duplicate) as duplicate, sum(poll.rejected) as rejected, sum(poll.bytes_wire) as bytes_wire,
       avg(poll.duration_ms) as mean_duration_ms
from feed_fetches as poll
join feeds as feed on feed.id = poll.feed_id
group by feed.id, feed.name, date_bin('1 day', poll.started_at, 'epoch');
comment on view analytics.feed_days is 'What polling each feed brought and cost, per UTC day.';
comment on column analytics.feed_days.feed_id is 'The feed.';
comment on column analytics.feed_days.feed is 'Its short name.';
comment on column analytics.feed_days.start_at is 'Start of the UTC day.';
comment on column analytics.feed_days.polls is 'Polls.';
comment on column analytics.feed_days.not_modified is 'Polls answered by 304.';
comment on column analytics.feed_days.errors is 'Polls that failed.';
comment on column analytics.feed_days.new is 'New articles.';
comment on column analytics.feed_days.revised is 'Articles that changed.';
comment on column analytics.feed_days.duplicate is 'Items that repeat another of the same document.';
comment on column analytics.feed_days.rejected is 'Items that could not be stored.';
comment on column analytics.feed_days.bytes_wire is 'Bytes received.';
comment on column analytics.feed_days.mean_duration_ms is 'Mean duration of a poll, milliseconds.';

create view analytics.waiting_stories as
select coalesce(version.version, 'champion') as model_version, count(*) as stories, min(queue.available_at) as oldest_at
from score_queue as queue
left join model_versions as version on version.id = queue.model_version_id
group by coalesce(version.version, 'champion');
comment on view analytics.waiting_stories is 'Stories that wait for a score.';
comment on column analytics.waiting_stories.model_version is 'The version they wait for; champion: live news.';
comment on column analytics.waiting_stories.stories is 'How many.';
comment on column analytics.waiting_stories.oldest_at is 'When the oldest of them became available, UTC.';
