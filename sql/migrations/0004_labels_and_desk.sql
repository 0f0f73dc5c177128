-- Labels, the labelling queue, retrainings, drift; users and the audit of the desk.

create table labels (
  id              bigint generated always as identity primary key,
  article_id      bigint not null references articles,
  company_id      integer references companies,
  target          text not null check (target in ('story', 'company', 'topics')),
  sentiment       text check (sentiment in ('negative', 'neutral', 'positive')),
  topics          text[],
  labelled_by     text not null,
  labelled_at     timestamptz not null,
  origin          text not null check (origin in ('desk', 'feedback', 'file', 'sql', 'demo')),
  schema_version  integer not null default 1,
  queue_reason    text,
  confidence      real check (confidence between 0 and 1),
  retracted_at    timestamptz,
  note            text not null default '',
  check ((target = 'topics') = (topics is not null)),
  check ((target = 'topics') = (sentiment is null)),
  check ((target = 'company') = (company_id is not null))
);
create unique index labels_one_per_labeller on labels (article_id, target, coalesce(company_id, 0), labelled_by) where retracted_at is null;
create index labels_at on labels (labelled_at desc);
comment on table labels is 'What a person said of one article; several people may label the same one.';
comment on column labels.id is 'Surrogate key.';
comment on column labels.article_id is 'The article.';
comment on column labels.company_id is 'The company, where target is company.';
comment on column labels.target is 'story, company, topics.';
comment on column labels.sentiment is 'The verdict, for story and company.';
comment on column labels.topics is 'The topics, for topics.';
comment on column labels.labelled_by is 'Who.';
comment on column labels.labelled_at is 'When, UTC.';
comment on column labels.origin is 'desk, feedback, file, sql, demo.';
comment on column labels.schema_version is 'Version of the label names in model/labels.py.';
comment on column labels.queue_reason is 'Why the queue asked: uncertain, alert, disputed, drift, suspect, random; null if it did not.';
comment on column labels.confidence is 'How sure the labeller was, 0 to 1, or null.';
comment on column labels.retracted_at is 'When it was taken back or replaced, UTC.';
comment on column labels.note is 'Free words.';

create table label_queue (
  article_id    bigint primary key references articles,
  reason        text not null check (reason in ('uncertain', 'alert', 'disputed', 'drift', 'suspect', 'random')),
  priority      double precision not null,
  queued_at     timestamptz not null,
  skipped_by    text[] not null default '{}',
  done_at       timestamptz
);
create index label_queue_open on label_queue (priority desc) where done_at is null;
comment on table label_queue is 'Articles to label next, with the reason; one per story.';
comment on column label_queue.article_id is 'The article.';
comment on column label_queue.reason is 'Why it was chosen.';
comment on column label_queue.priority is 'Higher comes first.';
comment on column label_queue.queued_at is 'When, UTC.';
comment on column label_queue.skipped_by is 'Who passed it over.';
comment on column label_queue.done_at is 'When it was labelled, UTC.';

create table frozen_articles (
  article_id  bigint primary key references articles,
  set_name    text not null,
  frozen_at   timestamptz not null
);
comment on table frozen_articles is 'Articles kept for evaluation: never queued, never trained on.';
comment on column frozen_articles.article_id is 'The article.';
comment on column frozen_articles.set_name is 'Name of the evaluation set.';
comment on column frozen_articles.frozen_at is 'When, UTC.';

create table retrainings (
  id                 integer generated always as identity primary key,
  run_key            text not null unique,
  started_at         timestamptz not null,
  finished_at        timestamptz,
  state              text not null check (state in ('running', 'awaiting_approval', 'promoted', 'refused', 'skipped', 'failed')),
  champion_id        integer references model_versions,
  challenger_id      integer references model_versions,
  label_count        integer not null default 0,
  data               jsonb not null default '{}',
  metrics            jsonb not null default '{}',
  reasons            jsonb not null default '[]',
  report_path        text
);
comment on table retrainings is 'One row per retraining: what went in, how it compared, what the gate said.';
comment on column retrainings.id is 'Surrogate key.';
comment on column retrainings.run_key is 'Identity of the run; the same run resumes its row.';
comment on column retrainings.started_at is 'Start, UTC.';
comment on column retrainings.finished_at is 'End, UTC.';
comment on column retrainings.state is 'How it stands or ended.';
comment on column retrainings.champion_id is 'Champion when it began.';
comment on column retrainings.challenger_id is 'The version that it trained.';
comment on column retrainings.label_count is 'Labels that went in.';
comment on column retrainings.data is 'Sources, counts, licences, digests.';
comment on column retrainings.metrics is 'Champion and challenger on the same sets.';
comment on column retrainings.reasons is 'What the gate said, or that the champion changed meanwhile, as a list of sentences.';
comment on column retrainings.report_path is 'HTML report.';

create table drift_reports (
  id                integer generated always as identity primary key,
  as_of             timestamptz not null,
  model_version_id  integer not null references model_versions,
  kind              text not null,
  subject           text not null,
  effect            double precision not null,
  detail            jsonb not null default '{}',
  unique (as_of, model_version_id, kind, subject)
);
comment on table drift_reports is 'How far inputs and outputs have moved from the training time, and the estimated accuracy.';
comment on column drift_reports.id is 'Surrogate key.';
comment on column drift_reports.as_of is 'When, UTC.';
comment on column drift_reports.model_version_id is 'The champion.';
comment on column drift_reports.kind is 'input, output, accuracy.';
comment on column drift_reports.subject is 'all, topic:<name> or feed:<name>.';
comment on column drift_reports.effect is 'Population stability index, or accuracy from 0 to 1.';
comment on column drift_reports.detail is 'Interval, counts, named causes.';

create table users (
  id             integer generated always as identity primary key,
  name           text not null unique,
  password_hash  text not null,
  role           text not null check (role in ('reader', 'labeller', 'operator')),
  created_at     timestamptz not null,
  disabled_at    timestamptz
);
comment on table users is 'People who may log in to the desk where it listens beyond loopback.';
comment on column users.id is 'Surrogate key.';
comment on column users.name is 'Login name.';
comment on column users.password_hash is 'argon2id hash.';
comment on column users.role is 'reader, labeller, operator.';
comment on column users.created_at is 'When, UTC.';
comment on column users.disabled_at is 'When disabled, UTC.';

create table audit_log (
  id      bigint generated always as identity primary key,
  at      timestamptz not null,
  actor   text not null,
  action  text not null,
  target  text not null default '',
  detail  jsonb not null default '{}'
);
create index audit_log_at on audit_log (at desc);
comment on table audit_log is 'Every change that a person made; append-only.';
comment on column audit_log.id is 'Surrogate key.';
comment on column audit_log.at is 'When, UTC.';
comment on column audit_log.actor is 'Who.';
comment on column audit_log.action is 'What.';
comment on column audit_log.target is 'To what.';
comment on column audit_log.detail is 'Before and after.';

create table facts (
  key         text primary key,
  value       jsonb not null,
  updated_at  timestamptz not null
);
comment on table facts is 'Small things to remember between runs (the demo''s anchor time, when a view was refreshed).';
comment on column facts.key is 'Name.';
comment on column facts.value is 'Value.';
comment on column facts.updated_at is 'When, UTC.';
