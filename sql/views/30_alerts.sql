-- Spikes, alerts with their times, what people said of them, and who was told. Test alerts are left out.

create view analytics.spikes as
select spike.id as spike_id, spike.series_id, series.kind, series.key, series.title, spike.tick_at, spike.window_start,
       spike.window_end, spike.negative, spike.other, spike.expected,
       greatest(0, spike.expected - 2 * sqrt(spike.variance)) as expected_low,
       spike.expected + 2 * sqrt(spike.variance) as expected_high,
       spike.p, spike.score, spike.severity, spike.alert_id
from spikes as spike
join series on series.id = spike.series_id;
comment on view analytics.spikes is 'Windows with more negative stories than their baseline explains.';
comment on column analytics.spikes.spike_id is 'The spike.';
comment on column analytics.spikes.series_id is 'The series.';
comment on column analytics.spikes.kind is 'all, topic, company, sector.';
comment on column analytics.spikes.key is 'Key of the series within its kind.';
comment on column analytics.spikes.title is 'Name that people read.';
comment on column analytics.spikes.tick_at is 'The tick that found it, UTC.';
comment on column analytics.spikes.window_start is 'Start of its window, UTC.';
comment on column analytics.spikes.window_end is 'End of its window (excluded), UTC.';
comment on column analytics.spikes.negative is 'Negative stories in it.';
comment on column analytics.spikes.other is 'Neutral and positive stories in it.';
comment on column analytics.spikes.expected is 'Negative stories expected given the others, stories.';
comment on column analytics.spikes.expected_low is 'expected - 2 standard deviations, at least 0, stories.';
comment on column analytics.spikes.expected_high is 'expected + 2 standard deviations, stories.';
comment on column analytics.spikes.p is 'Probability of at least so many negatives, 0 to 1.';
comment on column analytics.spikes.score is '-log10 of it, corrected; decades.';
comment on column analytics.spikes.severity is 'warning or critical.';
comment on column analytics.spikes.alert_id is 'The alert it belongs to, or null.';

create view analytics.alerts as
select alert.id as alert_id, alert.series_id, series.kind, series.key, series.title, alert.state, alert.severity,
       alert.pending_at, alert.fired_at, alert.resolved_at,
       extract(epoch from alert.resolved_at - alert.pending_at)::double precision / 60 as open_minutes,
       course.first_window_at,
       extract(epoch from alert.fired_at - course.first_window_at)::double precision / 60 as detection_minutes,
       told.first_sent_at,
       extract(epoch from told.first_sent_at - alert.fired_at)::double precision / 60 as notice_minutes,
       course.peak_at,
       extract(epoch from course.peak_at - alert.fired_at)::double precision / 60 as lead_minutes,
       alert.acknowledged_at, alert.acknowledged_by,
       extract(epoch from alert.acknowledged_at - coalesce(again.reopened_at, alert.fired_at))::double precision / 60
         as acknowledge_minutes,
       alert.peak_score, course.peak_negative, course.peak_expected, alert.told, alert.silenced, alert.reopened,
       alert.cause, alert.inhibited_by,
       coalesce(said.useful, 0) as useful, coalesce(said.noise, 0) as noise, version.version as model_version
from alerts as alert
join series on series.id = alert.series_id
left join model_versions as version on version.id = alert.model_version_id
left join lateral (
  select min(spike.window_start), (array_agg(spike.tick_at order by spike.score desc, spike.tick_at))[1],
         (array_agg(spike.negative order by spike.score desc, spike.tick_at))[1],
         (array_agg(spike.expected order by spike.score desc, spike.tick_at))[1]
  from spikes as spike where spike.alert_id = alert.id
) as course (first_window_at, peak_at, peak_negative, peak_expected) on true
left join lateral (
  select min(notification.sent_at) from notifications as notification
  where notification.alert_id = alert.id and notification.state = 'sent'
) as told (first_sent_at) on true
left join lateral (
  select max(event.at) from alert_events as event where event.alert_id = alert.id and event.kind = 'reopen'
) as again (reopened_at) on true
left join lateral (
  select count(*) filter (where feedback.kind = 'useful'), count(*) filter (where feedback.kind = 'noise')
  from feedback where feedback.alert_id = alert.id
) as said (useful, noise) on true
where not alert.is_test;
comment on view analytics.alerts is 'Each alert with its times, how fast it was found, told and taken, and what people said of it.';
comment on column analytics.alerts.alert_id is 'The alert.';
comment on column analytics.alerts.series_id is 'The series.';
comment on column analytics.alerts.kind is 'all, topic, company, sector.';
comment on column analytics.alerts.key is 'Key of the series within its kind.';
comment on column analytics.alerts.title is 'Name that people read.';
comment on column analytics.alerts.state is 'pending, firing, held, resolved.';
comment on column analytics.alerts.severity is 'Highest reached: warning, critical.';
comment on column analytics.alerts.pending_at is 'First crossing, UTC.';
comment on column analytics.alerts.fired_at is 'When it fired, UTC; null if it never did.';
comment on column analytics.alerts.resolved_at is 'When it ended, UTC; null while open.';
comment on column analytics.alerts.open_minutes is 'From the first crossing to the end, minutes.';
comment on column analytics.alerts.first_window_at is 'Start of the first window that crossed, UTC.';
comment on column analytics.alerts.detection_minutes is 'From the start of that window to firing, minutes.';
comment on column analytics.alerts.first_sent_at is 'When the first receiver had it, UTC.';
comment on column analytics.alerts.notice_minutes is 'From firing to that, minutes.';
comment on column analytics.alerts.peak_at is 'Tick of the highest score, UTC.';
comment on column analytics.alerts.lead_minutes is 'From firing to the peak: how long before the worst people knew, minutes.';
comment on column analytics.alerts.acknowledged_at is 'When a person took it, UTC; null again when it is reopened, until it is taken again.';
comment on column analytics.alerts.acknowledged_by is 'Who.';
comment on column analytics.alerts.acknowledge_minutes is 'From firing, or from the last reopening, to that, minutes.';
comment on column analytics.alerts.peak_score is 'Highest score of the episode, decades.';
comment on column analytics.alerts.peak_negative is 'Negative stories in the window of the peak.';
comment on column analytics.alerts.peak_expected is 'Negative stories expected there, stories.';
comment on column analytics.alerts.told is 'True: receivers were told.';
comment on column analytics.alerts.silenced is 'True: a silence held its notifications back.';
comment on column analytics.alerts.reopened is 'How often it was reopened within 12 h of resolving.';
comment on column analytics.alerts.cause is 'Named when it is not news: new_feed, model_promotion, backfill, one_source.';
comment on column analytics.alerts.inhibited_by is 'The alert that stands for it: it told most of its negative stories, or is market-wide.';
comment on column analytics.alerts.useful is 'People who called it useful.';
comment on column analytics.alerts.noise is 'People who called it noise.';
comment on column analytics.alerts.model_version is 'Champion when it opened.';

create view analytics.alert_events as
select event.alert_id, series.kind, series.key, series.title, event.at, event.kind as event, event.severity, event.actor
from alert_events as event
join alerts as alert on alert.id = event.alert_id and not alert.is_test
join series on series.id = alert.series_id;
comment on view analytics.alert_events is 'History of each alert.';
comment on column analytics.alert_events.alert_id is 'The alert.';
comment on column analytics.alert_events.kind is 'Kind of its series.';
comment on column analytics.alert_events.key is 'Key of its series.';
comment on column analytics.alert_events.title is 'Name that people read.';
comment on column analytics.alert_events.at is 'When, UTC.';
comment on column analytics.alert_events.event is 'What happened: pending, open, rise, held, resolve, reopen, drop, acknowledge, ...';
comment on column analytics.alert_events.severity is 'Severity after it.';
comment on column analytics.alert_events.actor is 'detect, or who did it.';

create view analytics.alert_feedback as
select feedback.id as feedback_id, feedback.alert_id, series.kind as series_kind, series.key, series.title,
       feedback.story_id, company.name as company, feedback.kind, feedback.given_by, feedback.given_at, feedback.via
from feedback
left join alerts as alert on alert.id = feedback.alert_id
left join series on series.id = alert.series_id
left join companies as company on company.id = feedback.company_id
where alert.is_test is not true;
comment on view analytics.alert_feedback is 'What people said of alerts and of the stories in them.';
comment on column analytics.alert_feedback.feedback_id is 'The row of feedback.';
comment on column analytics.alert_feedback.alert_id is 'The alert, or null.';
comment on column analytics.alert_feedback.series_kind is 'Kind of its series.';
comment on column analytics.alert_feedback.key is 'Key of its series.';
comment on column analytics.alert_feedback.title is 'Name that people read.';
comment on column analytics.alert_feedback.story_id is 'The story it is about, or null.';
comment on column analytics.alert_feedback.company is 'The company it is about, or null.';
comment on column analytics.alert_feedback.kind is 'acknowledge, useful, noise, wrong_sentiment, wrong_company, duplicate.';
comment on column analytics.alert_feedback.given_by is 'Who.';
comment on column analytics.alert_feedback.given_at is 'When, UTC.';
comment on column analytics.alert_feedback.via is 'mail, slack, desk, cli.';

create view analytics.notifications as
select notification.id as notification_id, notification.alert_id, notification.receiver, notification.kind,
       notification.state, notification.created_at, notification.sent_at,
       extract(epoch from notification.sent_at - notification.created_at)::double precision as delay_s,
       notification.attempts, notification.error
from notifications as notification;
comment on view analytics.notifications is 'Who was told what, and how long it took.';
comment on column analytics.notifications.notification_id is 'The notification.';
comment on column analytics.notifications.alert_id is 'The alert, null for digests and operator messages.';
comment on column analytics.notifications.receiver is 'Name of the receiver in alerts.toml.';
comment on column analytics.notifications.kind is 'open, rise, resolve, digest, operator, silence_end, test.';
comment on column analytics.notifications.state is 'pending, sent, failed.';
comment on column analytics.notifications.created_at is 'When it was written, UTC.';
comment on column analytics.notifications.sent_at is 'When the receiver accepted it, UTC.';
comment on column analytics.notifications.delay_s is 'Between the two, seconds.';
comment on column analytics.notifications.attempts is 'Tries so far.';
comment on column analytics.notifications.error is 'Last error, one line.';
