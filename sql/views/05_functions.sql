-- What was known at a past moment. A score counts from scored_at on, a story from first_seen_at on, a champion from
-- the moment it was set: rows added later cannot change an answer about the past.
--
-- They run as their owner, so nothing that a caller can make may stand on their search paths. pg_temp stands last: where it
-- is not named, PostgreSQL looks there first, and a caller's temporary view would run the caller's code as the owner.
-- `public` is left out, and every table named with it: where everybody may create there, as in databases made before
-- PostgreSQL 15, a caller's operator that fits the types better than the built-in one would do the same.

create function analytics.champion_at(moment timestamptz) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select version.version
  from public.model_alias_events as event
  join public.model_versions as version on version.id = event.model_version_id
  where event.alias = 'champion' and event.set_at <= moment
  order by event.set_at desc, event.id desc
  limit 1
$$;
comment on function analytics.champion_at(timestamptz) is 'Version that was champion at the moment (UTC); null before the first one.';

create function analytics.sentiment_asof(
  as_of timestamptz, series_kind text default 'all', series_key text default 'all', since timestamptz default null
) returns table (
  start_at timestamptz, stories bigint, negative bigint, neutral bigint, positive bigint,
  negative_share double precision, sentiment_index double precision, mean_score double precision
)
language sql stable security definer set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan  -- the plan for an hour is not the plan for a year
as $$
  with known as materialized (
    select story.id, story.available_at, score.model_version_id
    from public.stories as story
    cross join lateral (
      select score.model_version_id
      from public.scores as score
      join public.champion_periods as champion using (model_version_id)
      where score.story_id = story.id and score.scored_at <= as_of and champion.set_at <= as_of
      order by champion.set_at desc
      limit 1
    ) as score
    where story.available_at >= coalesce(since, as_of - interval '24 hours') and story.available_at <= as_of
      and story.first_seen_at <= as_of
  ), counted as (
    select date_bin('1 hour', known.available_at, 'epoch') as start_at, count(*) as stories,
           count(*) filter (where verdict.sentiment = 'negative') as negative,
           count(*) filter (where verdict.sentiment = 'neutral') as neutral,
           count(*) filter (where verdict.sentiment = 'positive') as positive,
           avg(verdict.score) as mean_score
    from known
    join public.series_verdicts as verdict on verdict.story_id = known.id and verdict.model_version_id = known.model_version_id
    join public.series on series.id = verdict.series_id and series.kind = series_kind and series.key = series_key
    group by 1
  )
  select start_at, stories, negative, neutral, positive, negative::double precision / stories,
         (positive - negative)::double precision / stories, mean_score
  from counted
  order by start_at
$$;
comment on function analytics.sentiment_asof(timestamptz, text, text, timestamptz) is 'Sentiment of one series per hour of publication from `since` (default: 24 h before) to `as_of`, from stories seen and scores written by `as_of` only, each by the newest champion of that time, of a sector for the companies that are in it now; counts in stories, shares 0 to 1, index and mean score -1 to 1.';
