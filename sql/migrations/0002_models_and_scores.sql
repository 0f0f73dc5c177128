-- Model versions with the history of their aliases, and what they said of stories.

create table model_versions (
  id           integer generated always as identity primary key,
  version      text not null unique,
  path         text not null,
  created_at   timestamptz not null,
  parent_id    integer references model_versions,
  base_model   text not null default '',
  languages    text[] not null default '{en}',
  manifest     jsonb not null default '{}',
  metrics      jsonb not null default '{}',
  state        text not null default 'candidate' check (state in ('candidate', 'rejected', 'promoted', 'retired'))
);
comment on table model_versions is 'One immutable trained model each.';
comment on column model_versions.id is 'Surrogate key.';
comment on column model_versions.version is 'Identity from its manifest.';
comment on column model_versions.path is 'Directory of its files; starter for the one that ships.';
comment on column model_versions.created_at is 'When it was registered, UTC.';
comment on column model_versions.parent_id is 'The version it was trained from, or null.';
comment on column model_versions.base_model is 'Name of the base encoder.';
comment on column model_versions.languages is 'ISO 639-1 codes it reads; others are not scored.';
comment on column model_versions.manifest is 'Its manifest: digests, data ledger, calibration.';
comment on column model_versions.metrics is 'Its metrics on the frozen sets.';
comment on column model_versions.state is 'candidate, rejected (by the gate), promoted (has been champion), retired.';

create table model_alias_events (
  id                bigint generated always as identity primary key,
  alias             text not null default 'champion',
  model_version_id  integer not null references model_versions,
  set_at            timestamptz not null,
  set_by            text not null,
  reason            text not null
);
create index model_alias_events_alias on model_alias_events (alias, set_at desc, id desc);
comment on table model_alias_events is 'Who made which version champion, when and why; append-only. The newest row of an alias is in force.';
comment on column model_alias_events.id is 'Surrogate key.';
comment on column model_alias_events.alias is 'champion, or another alias.';
comment on column model_alias_events.model_version_id is 'The version it points to from then on.';
comment on column model_alias_events.set_at is 'When, UTC.';
comment on column model_alias_events.set_by is 'Person or DAG run.';
comment on column model_alias_events.reason is 'Why, in words.';

create table scores (
  story_id          bigint not null references stories on delete cascade,
  model_version_id  integer not null references model_versions,
  scored_at         timestamptz not null,
  negative          real not null check (negative between 0 and 1),
  neutral           real not null check (neutral between 0 and 1),
  positive          real not null check (positive between 0 and 1),
  sentiment         text not null check (sentiment in ('negative', 'neutral', 'positive')),
  text_hash         bytea not null,
  primary key (story_id, model_version_id)
);
create index scores_scored on scores (scored_at desc);
create index scores_text on scores (text_hash, model_version_id);
comment on table scores is 'What one model version said of one story; append-only.';
comment on column scores.story_id is 'The story.';
comment on column scores.model_version_id is 'The model version.';
comment on column scores.scored_at is 'When, UTC.';
comment on column scores.negative is 'Calibrated probability, 0 to 1.';
comment on column scores.neutral is 'Calibrated probability, 0 to 1.';
comment on column scores.positive is 'Calibrated probability, 0 to 1.';
comment on column scores.sentiment is 'The likeliest of the three.';
comment on column scores.text_hash is 'blake2b-128 of the text that was scored.';

create table score_companies (
  story_id          bigint not null,
  model_version_id  integer not null,
  company_id        integer not null references companies,
  negative          real not null check (negative between 0 and 1),
  neutral           real not null check (neutral between 0 and 1),
  positive          real not null check (positive between 0 and 1),
  sentiment         text not null check (sentiment in ('negative', 'neutral', 'positive')),
  primary key (story_id, model_version_id, company_id),
  foreign key (story_id, model_version_id) references scores on delete cascade
);
create index score_companies_company on score_companies (company_id, story_id desc);
comment on table score_companies is 'The same for each company in the story.';
comment on column score_companies.story_id is 'The story.';
comment on column score_companies.model_version_id is 'The model version.';
comment on column score_companies.company_id is 'The company.';
comment on column score_companies.negative is 'Calibrated probability, 0 to 1.';
comment on column score_companies.neutral is 'Calibrated probability, 0 to 1.';
comment on column score_companies.positive is 'Calibrated probability, 0 to 1.';
comment on column score_companies.sentiment is 'The likeliest of the three.';

create table score_topics (
  story_id          bigint not null,
  model_version_id  integer not null,
  topic             text not null,
  probability       real not null check (probability between 0 and 1),
  primary key (story_id, model_version_id, topic),
  foreign key (story_id, model_version_id) references scores on delete cascade
);
create index score_topics_topic on score_topics (topic, story_id desc);
comment on table score_topics is 'Topics of the story; only those at or above the model''s threshold, at least the likeliest one.';
comment on column score_topics.story_id is 'The story.';
comment on column score_topics.model_version_id is 'The model version.';
comment on column score_topics.topic is 'Name in model/labels.py.';
comment on column score_topics.probability is 'Calibrated probability, 0 to 1.';

-- A claim is a row lock: a worker scores inside the transaction that deletes its queue rows, so a worker that dies
-- gives its claim back without anyone looking for it.
create table score_queue (
  id                bigint generated always as identity primary key,
  story_id          bigint not null references stories on delete cascade,
  model_version_id  integer references model_versions,
  available_at      timestamptz not null,
  attempts          smallint not null default 0,
  unique nulls not distinct (story_id, model_version_id)
);
create index score_queue_live on score_queue (available_at desc) where model_version_id is null;
create index score_queue_rescore on score_queue (model_version_id, available_at desc) where model_version_id is not null;
create index score_queue_deaths on score_queue (available_at desc) where attempts > 0;
-- Claims start at one end of an index, where the rows just scored lie dead until a vacuum: the default share of 20 %
-- would let two million of them gather in a backlog of ten.
alter table score_queue set (
  autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
comment on table score_queue is 'Stories that wait for a score.';
comment on column score_queue.id is 'Surrogate key.';
comment on column score_queue.story_id is 'The story.';
comment on column score_queue.model_version_id is 'Version to score with (re-score), or null: the champion (live).';
comment on column score_queue.available_at is 'The story''s available_at, UTC; live goes newest first.';
comment on column score_queue.attempts is 'Batches with it that died with their worker; from 2 on it is scored alone, from 4 on set apart.';

create table score_batches (
  id              bigint generated always as identity primary key,
  story_ids       bigint[] not null,
  queue_model_id  integer references model_versions,
  started_at      timestamptz not null
);
comment on table score_batches is 'Batches in the model. A row whose advisory lock (its id) nobody holds belongs to a worker that died.';
comment on column score_batches.id is 'Surrogate key, and key of the advisory lock.';
comment on column score_batches.story_ids is 'Stories in the batch.';
comment on column score_batches.queue_model_id is 'The queue they were taken from: score_queue.model_version_id, null for live.';
comment on column score_batches.started_at is 'When the model got it, UTC.';

create function enqueue_story() returns trigger language plpgsql as $$
begin
  insert into score_queue (story_id, available_at) values (new.id, new.available_at) on conflict do nothing;
  return null;
end $$;
comment on function enqueue_story() is 'Puts each new story into score_queue in the transaction that stores it: none can be forgotten.';
create trigger stories_enqueue after insert on stories for each row execute function enqueue_story();

create table unscored_stories (
  story_id          bigint not null references stories on delete cascade,
  model_version_id  integer not null references model_versions,
  reason            text not null check (reason in ('language', 'failure', 'empty')),
  detail            text not null default '',
  decided_at        timestamptz not null,
  primary key (story_id, model_version_id)
);
comment on table unscored_stories is 'Stories that a model version did not score, with the reason; shown, never guessed.';
comment on column unscored_stories.story_id is 'The story.';
comment on column unscored_stories.model_version_id is 'The model version.';
comment on column unscored_stories.reason is 'language (it does not read it), failure (the text broke the model), empty.';
comment on column unscored_stories.detail is 'One line.';
comment on column unscored_stories.decided_at is 'When, UTC.';

-- Encoder vectors for "stories like this one"; raw float16, because the schema uses no extension.
create table story_vectors (
  story_id          bigint not null references stories on delete cascade,
  model_version_id  integer not null references model_versions,
  vector            bytea not null,
  primary key (story_id, model_version_id)
);
comment on table story_vectors is 'Normalised encoder vector of a story.';
comment on column story_vectors.story_id is 'The story.';
comment on column story_vectors.model_version_id is 'The model version.';
comment on column story_vectors.vector is 'Little-endian float16, as many as the encoder''s hidden size; unit length.';
