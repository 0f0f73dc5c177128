-- How the line stands, in one row.
select
  (select version.version from model_versions as version join champion_periods as champion
     on champion.model_version_id = version.id and champion.ends_at = 'infinity') as champion,
  (select count(*) from score_queue where model_version_id is null) as waiting,
  (select min(available_at) from score_queue where model_version_id is null) as waiting_since,
  (select max(tick_at) from ticks) as last_tick_at,
  (select max(last_attempt_at) from feed_states) as last_poll_at,
  (select count(*) from feeds where removed_at is null and enabled and paused_at is null and origin <> 'import') as feeds,
  (select count(*) from feeds join feed_states as state on state.feed_id = feeds.id
     where feeds.removed_at is null and feeds.enabled and feeds.paused_at is null and feeds.origin <> 'import'
       and state.status <> 'ok') as feeds_in_trouble,
  (select count(*) from alerts where state in ('firing', 'held') and not is_test) as open_alerts,
  (select count(*) from alerts where state in ('firing', 'held') and not is_test and acknowledged_at is null) as unseen_alerts,
  (select count(*) from label_queue where done_at is null) as to_label,
  (select max(available_at) from stories) as last_story_at,
  (select id from alerts where not is_test order by id desc limit 1) as last_alert_id
