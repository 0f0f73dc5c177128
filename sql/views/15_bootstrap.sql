-- How sure the sentiment of a period is. Days are drawn with replacement and not stories: the stories of a day hang together
-- (one event makes many), so that intervals from single stories would be too narrow for a week or a quarter.

create function analytics.sentiment_bootstrap(
  since timestamptz, until timestamptz, series_kind text default 'all', series_key text default 'all',
  draws integer default 1000, seed bigint default 1
) returns table (
  days bigint, stories bigint, sentiment_index double precision, sentiment_index_low double precision,
  sentiment_index_high double precision, negative_share double precision, negative_share_low double precision,
  negative_share_high double precision
)
language sql stable as $$
  with day as materialized (
    select row_number() over (order by start_at) - 1 as place, count(*) over () as days,
           stories::double precision as stories, negative, positive
    from analytics.sentiment_daily
    where kind = series_kind and key = series_key and start_at >= since and start_at < until
  ), drawn as (
    select sum(day.positive - day.negative) / sum(day.stories) as index, sum(day.negative) / sum(day.stories) as share
    from generate_series(1, least(draws, 10000)) as draw
    cross join (select place, days from day) as pick
    join day on day.place = (hashint8extended(draw::bigint << 20 | pick.place, seed) & 9223372036854775807) % pick.days
    group by draw
  ), ends as (
    select percentile_cont(array[0.025, 0.975]) within group (order by index) as of_index,
           percentile_cont(array[0.025, 0.975]) within group (order by share) as of_share
    from drawn
  )
  select count(*), sum(day.stories)::bigint, sum(day.positive - day.negative) / sum(day.stories),
         min(ends.of_index[1]), min(ends.of_index[2]),
         sum(day.negative) / sum(day.stories), min(ends.of_share[1]), min(ends.of_share[2])
  from day cross join ends
$$;
comment on function analytics.sentiment_bootstrap(timestamptz, timestamptz, text, text, integer, bigint) is 'Sentiment of one series over the UTC days that start in [since, until), with 95 % bootstrap intervals over days: counts in days and stories, index -1 to 1, share 0 to 1; the same `seed` gives the same answer, `draws` (at most 10,000) decide how steady it is.';
