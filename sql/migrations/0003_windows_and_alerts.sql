-- What is watched, how it is counted, what was concluded, and who was told.

create table series (
  id          integer generated always as identity primary key,
  kind        text not null check (kind in ('all', 'topic', 'company', 'sector')),
  key         text not null,
  title       text not null,
  company_id  integer unique references companies,
  created_at  timestamptz not null,
  unique (kind, key)
);
comment on table series is 'What is watched: everything, a topic, a company, a sector.';
comment on column series.id is 'Surrogate key.';
comment on column series.kind is 'all, topic, company, sector.';
comment on column series.key is 'all, topic name, company name, sector name.';
comment on column series.title is 'What people read.';
comment on column series.company_id is 'The company, where kind is company.';
comment on column series.created_at is 'When it began to be watched, UTC; it learns for 14 days from its first count.';

-- The one place that says when a story counted: replay reads it, so late scores and new models change no past window.
create table counted_stories (
  story_id          bigint not null references stories on delete cascade,
  model_version_id  integer not null references model_versions,
  window_start      timestamptz not null,
  counted_at        timestamptz not null,
  live              boolean not null,
  primary key (story_id, model_version_id)
);
create index counted_stories_window on counted_stories (window_start);
comment on table counted_stories is 'In which window a scored story was counted.';
comment on column counted_stories.story_id is 'The story.';
comment on column counted_stories.model_version_id is 'The model version whose verdict counted.';
comment on column counted_stories.window_start is 'Start of the 15-minute window it counted in, UTC: the window of available_at, or the first one not yet evaluated when it came late.';
comment on column counted_stories.counted_at is 'When it was counted, UTC.';
comment on column counted_stories.live is 'False: backfilled or re-scored; feeds baselines only.';

create table windows (
  series_id         integer not null references series,
  model_version_id  integer not null references model_versions,
  window_start      timestamptz not null,
  negative          integer not null default 0,
  other             integer not null default 0,
  negative_history  integer not null default 0,
  other_history     integer not null default 0,
  copies            integer not null default 0,
  primary key (series_id, model_version_id, window_start)
);
create index windows_start on windows (window_start, series_id);
comment on table windows is 'Counts of distinct stories per series in windows of 15 minutes [window_start, window_start + 15 min).';
comment on column windows.series_id is 'The series.';
comment on column windows.model_version_id is 'The model version whose verdicts are counted.';
comment on column windows.window_start is 'Start, UTC.';
comment on column windows.negative is 'Stories negative for the series that arrived live.';
comment on column windows.other is 'Neutral and positive stories that arrived live.';
comment on column windows.negative_history is 'Negative stories that are backfilled; baselines add them to the live ones, detection never does.';
comment on column windows.other_history is 'Other stories that are backfilled.';
comment on column windows.copies is 'Further articles of stories that are negative for the series, arrived in the window; set when it closes.';

create table baselines (
  id                integer generated always as identity primary key,
  built_for         date not null,
  built_at          timestamptz not null,
  model_version_id  integer not null references model_versions,
  rule_version      text not null,
  pooled            jsonb not null,
  unique (built_for, model_version_id, rule_version, built_at)
);
comment on table baselines is 'What is usual, built each night from the days before built_for.';
comment on column baselines.id is 'Surrogate key.';
comment on column baselines.built_for is 'First UTC day it is used on.';
comment on column baselines.built_at is 'When, UTC; the newest one of a day is in force, older ones stay for the ticks that used them.';
comment on column baselines.model_version_id is 'The model version whose counts it is built from.';
comment on column baselines.rule_version is 'Version of the statistics.';
comment on column baselines.pooled is 'Parameters pooled over all series.';

create table baseline_series (
  baseline_id  integer not null references baselines on delete cascade,
  series_id    integer not null references series,
  parameters   jsonb not null,
  primary key (baseline_id, series_id)
);
comment on table baseline_series is 'Parameters of one series in a baseline.';
comment on column baseline_series.baseline_id is 'The baseline.';
comment on column baseline_series.series_id is 'The series.';
comment on column baseline_series.parameters is 'Levels (stories per hour), share, profile, variances, days of history.';

create table ticks (
  tick_at           timestamptz primary key,
  evaluated_at      timestamptz not null,
  baseline_id       integer references baselines,
  model_version_id  integer references model_versions,
  rule_version      text not null,
  market_factor     double precision,
  coverage          double precision,
  details           jsonb not null default '{}'
);
comment on table ticks is 'One row per evaluated quarter of an hour; windows before tick_at are closed for good.';
comment on column ticks.tick_at is 'End of the trailing windows, UTC.';
comment on column ticks.evaluated_at is 'When it was evaluated, UTC.';
comment on column ticks.baseline_id is 'The baseline in force.';
comment on column ticks.model_version_id is 'The champion then.';
comment on column ticks.rule_version is 'Version of the rules then.';
comment on column ticks.market_factor is 'Market-wide factor g, 1 to 3.';
comment on column ticks.coverage is 'Share of the expected volume that comes from healthy feeds, 0 to 1.';
comment on column ticks.details is 'What else the evaluation depended on.';

create table evaluations (
  series_id      integer not null references series,
  tick_at        timestamptz not null,
  window_hours   smallint not null,
  negative       integer not null,
  other          integer not null,
  expected       double precision not null,
  variance       double precision not null,
  p              double precision not null,
  score          double precision not null,
  state          text not null,
  primary key (series_id, tick_at)
) partition by range (tick_at);
create table evaluations_default partition of evaluations default;
create index evaluations_tick on evaluations (tick_at);
comment on table evaluations is 'What each tick found for each series that had anything to say (a negative story in 24 h or an open alert), at its best window. Partitioned by month.';
comment on column evaluations.series_id is 'The series.';
comment on column evaluations.tick_at is 'The tick, UTC.';
comment on column evaluations.window_hours is 'Trailing window of the best score: 1, 4 or 24 hours.';
comment on column evaluations.negative is 'K: distinct negative stories in it.';
comment on column evaluations.other is 'M: distinct other stories in it.';
comment on column evaluations.expected is 'C: negatives expected given M, stories.';
comment on column evaluations.variance is 'V: their variance, stories squared.';
comment on column evaluations.p is 'P(at least K), from the negative binomial.';
comment on column evaluations.score is 's = -log10 p - log10 3, corrected for the market-wide factor.';
comment on column evaluations.state is 'State of the series after the tick: inactive, learning, no_data, pending, firing, held.';

create table spikes (
  id                bigint generated always as identity primary key,
  series_id         integer not null references series,
  tick_at           timestamptz not null,
  window_start      timestamptz not null,
  window_end        timestamptz not null,
  negative          integer not null,
  other             integer not null,
  expected          double precision not null,
  variance          double precision not null,
  p                 double precision not null,
  score             double precision not null,
  severity          text not null check (severity in ('warning', 'critical')),
  baseline_id       integer references baselines,
  model_version_id  integer references model_versions,
  rule_version      text not null,
  alert_id          bigint,
  unique (series_id, tick_at)
);
comment on table spikes is 'Windows that their baseline does not explain.';
comment on column spikes.id is 'Surrogate key.';
comment on column spikes.series_id is 'The series.';
comment on column spikes.tick_at is 'The tick that found it, UTC.';
comment on column spikes.window_start is 'Start of its window, UTC.';
comment on column spikes.window_end is 'End of its window (excluded), UTC.';
comment on column spikes.negative is 'K, distinct negative stories.';
comment on column spikes.other is 'M, distinct other stories.';
comment on column spikes.expected is 'Expected negatives, stories.';
comment on column spikes.variance is 'Variance, stories squared.';
comment on column spikes.p is 'Tail probability.';
comment on column spikes.score is 'As in evaluations.';
comment on column spikes.severity is 'warning or critical, by the thresholds in force.';
comment on column spikes.baseline_id is 'The baseline in force.';
comment on column spikes.model_version_id is 'The champion then.';
comment on column spikes.rule_version is 'Version of the rules then.';
comment on column spikes.alert_id is 'The alert it belongs to, null if none was told.';

create table alerts (
  id                bigint generated always as identity primary key,
  series_id         integer not null references series,
  state             text not null check (state in ('pending', 'firing', 'held', 'resolved')),
  severity          text not null check (severity in ('warning', 'critical')),
  pending_at        timestamptz not null,
  fired_at          timestamptz,
  last_crossed_at   timestamptz not null,
  last_evaluated_at timestamptz not null,
  resolved_at       timestamptz,
  reopened          integer not null default 0,
  acknowledged_at   timestamptz,
  acknowledged_by   text,
  inhibited_by      bigint references alerts,
  silenced          boolean not null default false,
  told              boolean not null default false,
  cause             text,
  peak_score        double precision not null,
  rule_version      text not null,
  model_version_id  integer references model_versions,
  evidence          jsonb not null default '{}',
  memory            jsonb not null default '{}',
  is_test           boolean not null default false
);
create unique index alerts_one_open on alerts (series_id) where state <> 'resolved' and not is_test;
create index alerts_fired on alerts (fired_at desc);
alter table spikes add constraint spikes_alert foreign key (alert_id) references alerts;
comment on table alerts is 'The episode made of spikes of one series.';
comment on column alerts.id is 'Surrogate key.';
comment on column alerts.series_id is 'The series.';
comment on column alerts.state is 'pending, firing, held (still open, no longer crossing), resolved.';
comment on column alerts.severity is 'Highest reached.';
comment on column alerts.pending_at is 'First crossing, UTC.';
comment on column alerts.fired_at is 'When it fired, UTC; null while pending.';
comment on column alerts.last_crossed_at is 'Last tick at or above the holding threshold, UTC.';
comment on column alerts.last_evaluated_at is 'Last tick that looked at it, UTC.';
comment on column alerts.resolved_at is 'When it ended, UTC.';
comment on column alerts.reopened is 'How often it was reopened silently within 12 h of resolving.';
comment on column alerts.acknowledged_at is 'When a person took it, UTC; stays when it resolves, ends when it is reopened.';
comment on column alerts.acknowledged_by is 'Who.';
comment on column alerts.inhibited_by is 'The alert that stands for it: told before, and most of its negative stories belong to that one, or that one is market-wide.';
comment on column alerts.silenced is 'True: a silence held back its notifications.';
comment on column alerts.told is 'True: receivers were told of it.';
comment on column alerts.cause is 'Named when it is not news: new_feed, model_promotion, backfill, one_source.';
comment on column alerts.peak_score is 'Highest score in the episode.';
comment on column alerts.rule_version is 'Version of the rules when it opened.';
comment on column alerts.model_version_id is 'Champion when it opened.';
comment on column alerts.evidence is 'Evidence card at its last notification: figures, stories, what would not have fired.';
comment on column alerts.memory is 'What the state machine remembers between ticks.';
comment on column alerts.is_test is 'True: made by alerts test.';

create table alert_events (
  id          bigint generated always as identity primary key,
  alert_id    bigint not null references alerts on delete cascade,
  at          timestamptz not null,
  kind        text not null check (kind in ('pending', 'open', 'rise', 'held', 'resolve', 'reopen', 'drop', 'acknowledge', 'silence', 'unsilence', 'inhibit', 'feedback', 'test')),
  severity    text,
  actor       text not null default 'detect',
  detail      jsonb not null default '{}'
);
create index alert_events_alert on alert_events (alert_id, id);
comment on table alert_events is 'History of an alert; append-only.';
comment on column alert_events.id is 'Surrogate key.';
comment on column alert_events.alert_id is 'The alert.';
comment on column alert_events.at is 'When, UTC.';
comment on column alert_events.kind is 'What happened.';
comment on column alert_events.severity is 'Severity after it.';
comment on column alert_events.actor is 'detect, or who did it.';
comment on column alert_events.detail is 'Figures of the moment.';

create table silences (
  id            integer generated always as identity primary key,
  series_kind   text,
  series_key    text,
  starts_at     timestamptz not null,
  ends_at       timestamptz not null,
  created_by    text not null,
  reason        text not null default '',
  created_at    timestamptz not null,
  expiry_told_at timestamptz,
  cancelled_at  timestamptz,
  check (ends_at > starts_at)
);
comment on table silences is 'Times in which a series'' alerts are not told; they expire, and say so.';
comment on column silences.id is 'Surrogate key.';
comment on column silences.series_kind is 'Kind of series, or null for all.';
comment on column silences.series_key is 'Key of the series, or null for all of the kind.';
comment on column silences.starts_at is 'From, UTC.';
comment on column silences.ends_at is 'Until (excluded), UTC.';
comment on column silences.created_by is 'Who.';
comment on column silences.reason is 'Why.';
comment on column silences.created_at is 'When it was made, UTC.';
comment on column silences.expiry_told_at is 'When its end was told, UTC.';
comment on column silences.cancelled_at is 'When it was lifted early, UTC.';

create table rule_overrides (
  series_kind  text not null,
  series_key   text not null,
  rule         jsonb not null,
  set_by       text not null,
  set_at       timestamptz not null,
  primary key (series_kind, series_key)
);
comment on table rule_overrides is 'Per-series changes to alerts.toml.';
comment on column rule_overrides.series_kind is 'Kind of series.';
comment on column rule_overrides.series_key is 'Key of series.';
comment on column rule_overrides.rule is 'The rule fields that differ.';
comment on column rule_overrides.set_by is 'Who.';
comment on column rule_overrides.set_at is 'When, UTC.';

-- The outbox: written in the transaction that changes the alert, sent later, retried until it is sent or given up.
create table notifications (
  id               bigint generated always as identity primary key,
  alert_id         bigint references alerts on delete cascade,
  alert_event_id   bigint references alert_events on delete cascade,
  receiver         text not null,
  kind             text not null check (kind in ('open', 'rise', 'resolve', 'digest', 'operator', 'silence_end', 'test')),
  idempotency_key  text not null unique,
  payload          jsonb not null default '{}',
  state            text not null default 'pending' check (state in ('pending', 'sent', 'failed')),
  created_at       timestamptz not null,
  not_before_at    timestamptz not null,
  attempts         integer not null default 0,
  first_attempt_at timestamptz,
  last_attempt_at  timestamptz,
  sent_at          timestamptz,
  error            text,
  external_id      text,
  told_with_id     bigint references notifications on delete cascade
);
create index notifications_pending on notifications (not_before_at) where state = 'pending';
create index notifications_alert on notifications (alert_id, receiver);
comment on table notifications is 'One message to one receiver: the outbox.';
comment on column notifications.id is 'Surrogate key.';
comment on column notifications.alert_id is 'The alert, null for digests and operator messages.';
comment on column notifications.alert_event_id is 'The event it tells.';
comment on column notifications.receiver is 'Name in alerts.toml; addresses and secrets are not stored.';
comment on column notifications.kind is 'What it tells.';
comment on column notifications.idempotency_key is 'The same event to the same receiver has the same key; also sent in the message.';
comment on column notifications.payload is 'Evidence as data; the text is rendered when sent.';
comment on column notifications.state is 'pending, sent, failed (given up).';
comment on column notifications.created_at is 'When it was written, UTC.';
comment on column notifications.not_before_at is 'Not sent before this (quiet hours, backoff), UTC.';
comment on column notifications.attempts is 'Tries so far.';
comment on column notifications.first_attempt_at is 'First try, UTC; a day later it is given up.';
comment on column notifications.last_attempt_at is 'Last try, UTC.';
comment on column notifications.sent_at is 'When the receiver accepted it, UTC.';
comment on column notifications.error is 'Last error, one line, no secrets.';
comment on column notifications.external_id is 'Message-ID of the mail, or channel and ts of the Slack message.';
comment on column notifications.told_with_id is 'Later notification of the same alert to the same receiver whose message tells this one too (both waited for quiet hours or an outage to end).';

create table message_threads (
  alert_id     bigint not null references alerts on delete cascade,
  receiver     text not null,
  external_id  text not null,
  primary key (alert_id, receiver)
);
comment on table message_threads is 'The first message of an episode at a receiver: later ones reply to it or edit it.';
comment on column message_threads.alert_id is 'The alert.';
comment on column message_threads.receiver is 'The receiver.';
comment on column message_threads.external_id is 'Message-ID, or channel and ts.';

create table feedback (
  id          bigint generated always as identity primary key,
  alert_id    bigint references alerts on delete cascade,
  story_id    bigint references stories on delete cascade,
  company_id  integer references companies,
  kind        text not null check (kind in ('acknowledge', 'useful', 'noise', 'wrong_sentiment', 'wrong_company', 'duplicate')),
  given_by    text not null,
  given_at    timestamptz not null,
  via         text not null default 'desk',
  token_id    text unique,
  note        text not null default ''
);
create index feedback_alert on feedback (alert_id);
comment on table feedback is 'What people said of alerts and of the stories in them.';
comment on column feedback.id is 'Surrogate key.';
comment on column feedback.alert_id is 'The alert.';
comment on column feedback.story_id is 'The story, where it is about one.';
comment on column feedback.company_id is 'The company, where it is about one.';
comment on column feedback.kind is 'What they said.';
comment on column feedback.given_by is 'Who.';
comment on column feedback.given_at is 'When, UTC.';
comment on column feedback.via is 'mail, slack, desk, cli.';
comment on column feedback.token_id is 'Identity of the signed link, so that it counts once.';
comment on column feedback.note is 'Free words.';
