-- An alert shows which words made its stories bad news; finding them takes the model, so they are found once.

create table story_words (
  story_id          bigint not null references stories on delete cascade,
  company_id        integer references companies,
  model_version_id  integer not null references model_versions,
  words             text[] not null,
  made_at           timestamptz not null,
  unique nulls not distinct (story_id, company_id, model_version_id)
);
comment on table story_words is 'The words of a story that pulled its verdict most, for the evidence of an alert.';
comment on column story_words.story_id is 'The story.';
comment on column story_words.company_id is 'The company whose verdict it is; null: the verdict of the story.';
comment on column story_words.model_version_id is 'The model whose verdict it is.';
comment on column story_words.words is 'Words as they stand in the text, the strongest first; empty where none stands out.';
comment on column story_words.made_at is 'When they were found, UTC.';
