-- Sentiment counted for reading: per series in spans of 15 minutes, an hour and a day. `windows` keeps what the
-- detector counts (negative against other); these roll-ups split the others and carry the sums that means and
-- intervals need, so that a two-year chart reads hundreds of rows and not millions of scores.

create view champion_periods as
select model_version_id, set_at, set_by, reason,
       case when lag(set_at) over history is null then '-infinity' else set_at end as starts_at,
       coalesce(lead(set_at) over history, 'infinity') as ends_at
from model_alias_events
where alias = 'champion'
window history as (order by set_at, id);
comment on view champion_periods is 'Which version was champion when, as half-open ranges; the first one also stands for all time before it.';
comment on column champion_periods.model_version_id is 'The version.';
comment on column champion_periods.set_at is 'When it was made champion, UTC.';
comment on column champion_periods.set_by is 'Who did it.';
comment on column champion_periods.reason is 'Why.';
comment on column champion_periods.starts_at is 'Start of its range, UTC; -infinity for the first.';
comment on column champion_periods.ends_at is 'End of its range (excluded), UTC; infinity for the present champion.';

-- The story's time beside its verdicts: the newest stories of a company or topic are one stretch of an index.
alter table score_companies add column available_at timestamptz;
alter table score_topics add column available_at timestamptz;
update score_companies as score set available_at = story.available_at from stories as story where story.id = score.story_id;
update score_topics as score set available_at = story.available_at from stories as story where story.id = score.story_id;
comment on column score_companies.available_at is 'available_at of the story, UTC; set on insert.';
comment on column score_topics.available_at is 'available_at of the story, UTC; set on insert.';
create function copy_available_at() returns trigger language plpgsql as $$
begin
  select story.available_at into new.available_at from stories as story where story.id = new.story_id;
  return new;
end $$;
comment on function copy_available_at() is 'Sets available_at of a new row from its story.';
create trigger score_companies_time before insert on score_companies for each row execute function copy_available_at();
create trigger score_topics_time before insert on score_topics for each row execute function copy_available_at();
drop index score_companies_company;
drop index score_topics_topic;
create index score_companies_company on score_companies (company_id, available_at desc, story_id desc);
create index score_topics_topic on score_topics (topic, available_at desc, story_id desc);

create index spikes_alert on spikes (alert_id);
create index articles_corrected on articles (available_at desc) where corrected;

-- The verdict for a sector is the worst verdict for one of its companies, as the detector counts it. Lateral on purpose:
-- a join with a few stories then reads their rows alone, where it would read a plain union whole.
create view series_verdicts as
select score.story_id, score.model_version_id, verdict.series_id, verdict.sentiment, verdict.score
from scores as score
cross join lateral (
  select series.id, score.sentiment, score.positive::double precision - score.negative
  from series
  where series.kind = 'all'
  union all
  select series.id, score.sentiment, score.positive::double precision - score.negative
  from score_topics as topic
  join series on series.kind = 'topic' and series.key = topic.topic
  where topic.story_id = score.story_id and topic.model_version_id = score.model_version_id
  union all
  select series.id, about.sentiment, about.positive::double precision - about.negative
  from score_companies as about
  join series on series.company_id = about.company_id
  where about.story_id = score.story_id and about.model_version_id = score.model_version_id
  union all
  select series.id, worst.sentiment, worst.score
  from (
    select distinct on (company.sector) company.sector, about.sentiment,
           about.positive::double precision - about.negative as score
    from score_companies as about
    join companies as company on company.id = about.company_id
    where about.story_id = score.story_id and about.model_version_id = score.model_version_id
    order by company.sector, about.positive - about.negative, about.company_id
  ) as worst
  join series on series.kind = 'sector' and series.key = worst.sector
) as verdict (series_id, sentiment, score);
comment on view series_verdicts is 'What a scored story says of each series it counts in.';
comment on column series_verdicts.story_id is 'The story.';
comment on column series_verdicts.model_version_id is 'The model version.';
comment on column series_verdicts.series_id is 'The series.';
comment on column series_verdicts.sentiment is 'Verdict for the series: of the story (everything, topics), of the company, of the worst-hit company (sectors).';
comment on column series_verdicts.score is 'p(positive) - p(negative) of that verdict, -1 to 1.';

create table sentiment_rollups (
  span_minutes      smallint not null check (span_minutes in (15, 60, 1440)),
  series_id         integer not null references series,
  model_version_id  integer not null references model_versions,
  start_at          timestamptz not null,
  negative          integer not null,
  neutral           integer not null,
  positive          integer not null,
  score_sum         double precision not null,
  score_squares     double precision not null,
  primary key (series_id, start_at, model_version_id, span_minutes)
) partition by list (span_minutes);
create table sentiment_rollups_quarters partition of sentiment_rollups for values in (15) with (fillfactor = 80);
create table sentiment_rollups_hours partition of sentiment_rollups for values in (60) with (fillfactor = 80);
create table sentiment_rollups_days partition of sentiment_rollups for values in (1440) with (fillfactor = 80);
create index sentiment_rollups_start on sentiment_rollups (start_at, series_id);
comment on table sentiment_rollups is 'Distinct stories by verdict per series and span; kept up by the insert into counted_stories, live and backfilled stories alike.';
comment on column sentiment_rollups.span_minutes is 'Length of the span: 15, 60 or 1440 minutes.';
comment on column sentiment_rollups.series_id is 'The series.';
comment on column sentiment_rollups.model_version_id is 'The model version whose verdicts are counted.';
comment on column sentiment_rollups.start_at is 'Start of the span, UTC; the span of counted_stories.window_start.';
comment on column sentiment_rollups.negative is 'Stories negative for the series.';
comment on column sentiment_rollups.neutral is 'Neutral stories.';
comment on column sentiment_rollups.positive is 'Positive stories.';
comment on column sentiment_rollups.score_sum is 'Sum of p(positive) - p(negative) over the stories.';
comment on column sentiment_rollups.score_squares is 'Sum of its squares.';

create function roll_up_counted_stories() returns trigger language plpgsql as $$
begin
  -- ordered by key: two writers take the row locks in the same order and cannot deadlock
  insert into sentiment_rollups
  select span.minutes, verdict.series_id, verdict.model_version_id,
         date_bin(make_interval(mins => span.minutes), counted.window_start, 'epoch') as start_at,
         count(*) filter (where verdict.sentiment = 'negative'),
         count(*) filter (where verdict.sentiment = 'neutral'),
         count(*) filter (where verdict.sentiment = 'positive'),
         sum(verdict.score), sum(verdict.score * verdict.score)
  from new_rows as counted
  join series_verdicts as verdict using (story_id, model_version_id)
  cross join (values (15), (60), (1440)) as span (minutes)
  group by 1, 2, 3, 4
  order by 2, 4, 3, 1
  on conflict (series_id, start_at, model_version_id, span_minutes) do update set
    negative = sentiment_rollups.negative + excluded.negative,
    neutral = sentiment_rollups.neutral + excluded.neutral,
    positive = sentiment_rollups.positive + excluded.positive,
    score_sum = sentiment_rollups.score_sum + excluded.score_sum,
    score_squares = sentiment_rollups.score_squares + excluded.score_squares;
  return null;
end $$;
comment on function roll_up_counted_stories() is 'Adds newly counted stories to sentiment_rollups in the transaction that counts them; their scores must be stored before.';
create trigger counted_stories_roll_up after insert on counted_stories
  referencing new table as new_rows for each statement execute function roll_up_counted_stories();

create function rebuild_sentiment_rollups(since timestamptz) returns bigint language plpgsql as $$
declare
  first_day timestamptz := (
    select date_bin('1 day', min(window_start), 'epoch') from counted_stories
    where window_start >= date_bin('1 day', since, 'epoch'));
  last_at timestamptz := (select max(window_start) from counted_stories);
  day timestamptz;
begin
  delete from sentiment_rollups where start_at >= date_bin('1 day', since, 'epoch');
  for day in select generate_series(first_day, last_at, interval '1 day') loop  -- by days: memory for one only
    insert into sentiment_rollups
    with counted as materialized (
      select story_id, model_version_id, window_start from counted_stories
      where window_start >= day and window_start < day + interval '1 day'
    )
    select 15, verdict.series_id, verdict.model_version_id, counted.window_start,
           count(*) filter (where verdict.sentiment = 'negative'),
           count(*) filter (where verdict.sentiment = 'neutral'),
           count(*) filter (where verdict.sentiment = 'positive'),
           sum(verdict.score), sum(verdict.score * verdict.score)
    from counted
    join series_verdicts as verdict using (story_id, model_version_id)
    group by 1, 2, 3, 4;
  end loop;
  insert into sentiment_rollups
  select span.minutes, series_id, model_version_id, date_bin(make_interval(mins => span.minutes), start_at, 'epoch'),
         sum(negative), sum(neutral), sum(positive), sum(score_sum), sum(score_squares)
  from sentiment_rollups
  cross join (values (60), (1440)) as span (minutes)
  where span_minutes = 15 and start_at >= first_day
  group by 1, 2, 3, 4;
  return (select count(*) from sentiment_rollups where start_at >= first_day);
end $$;
comment on function rebuild_sentiment_rollups(timestamptz) is 'Makes sentiment_rollups anew from the UTC day of `since` on (after stories were deleted or companies changed sector); returns the rows from then on.';
