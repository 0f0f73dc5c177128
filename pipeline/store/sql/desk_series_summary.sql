-- Every series of the kinds asked for: the last 24 hours against the 7 days before, and whether an alert is open. The 7 days
-- are whole UTC days from the days' roll-ups and the hours at their ends: a quarter of the rows that hours alone would be.
with spans as (
  select rollup.series_id, rollup.model_version_id, rollup.start_at, rollup.negative, rollup.neutral, rollup.positive,
         rollup.start_at >= :day_ago as is_now
  from sentiment_rollups as rollup
  join champion_periods as champion using (model_version_id)
  where rollup.span_minutes = 60
    and (rollup.start_at >= date_bin('1 day', :day_ago, 'epoch') and rollup.start_at < :until
         or rollup.start_at >= cast(:day_ago as timestamptz) - interval '7 days'
            and rollup.start_at < date_bin('1 day', cast(:day_ago as timestamptz) - interval '6 days', 'epoch'))
    and (cast(:series_id as integer) is null or rollup.series_id = :series_id)
    and rollup.start_at >= date_bin('1 hour', champion.starts_at, 'epoch')
    and rollup.start_at < date_bin('1 hour', champion.ends_at, 'epoch')
  union all
  select rollup.series_id, rollup.model_version_id, rollup.start_at, rollup.negative, rollup.neutral, rollup.positive, false
  from sentiment_rollups as rollup
  join champion_periods as champion using (model_version_id)
  where rollup.span_minutes = 1440
    and rollup.start_at >= date_bin('1 day', cast(:day_ago as timestamptz) - interval '6 days', 'epoch')
    and rollup.start_at < date_bin('1 day', :day_ago, 'epoch')
    and (cast(:series_id as integer) is null or rollup.series_id = :series_id)
    and rollup.start_at >= date_bin('1 day', champion.starts_at, 'epoch')
    and rollup.start_at < date_bin('1 day', champion.ends_at, 'epoch')
), counts as (
  select series_id,
         sum(negative + neutral + positive) filter (where is_now) as stories,
         sum(negative) filter (where is_now) as negative,
         sum(neutral) filter (where is_now) as neutral,
         sum(positive) filter (where is_now) as positive,
         sum(negative + neutral + positive) filter (where not is_now) as stories_before,
         sum(positive - negative) filter (where not is_now) as net_before
  from spans
  group by series_id
), history as (
  -- days before the last 24 hours that anything was counted in: in its first week the line has no seven
  select least(7, extract(epoch from cast(:day_ago as timestamptz) - min(start_at))::double precision / 86400) as days
  from sentiment_rollups
  where span_minutes = 60
)
select series.id, series.kind, series.key, series.title, company.ticker, company.sector,
       coalesce(counts.stories, 0) as stories, coalesce(counts.negative, 0) as negative,
       coalesce(counts.neutral, 0) as neutral, coalesce(counts.positive, 0) as positive,
       (counts.positive - counts.negative)::double precision / nullif(counts.stories, 0) as index_now,
       counts.net_before::double precision / nullif(counts.stories_before, 0) as index_before,
       case when history.days >= 1 then counts.stories_before / history.days end as usual_stories,
       alert.id as alert_id, alert.severity as alert_severity
from series
cross join history
left join companies as company on company.id = series.company_id
left join counts on counts.series_id = series.id
left join alerts as alert on alert.series_id = series.id and alert.state in ('firing', 'held') and not alert.is_test
where series.kind = any(:kinds) and (cast(:series_id as integer) is null or series.id = :series_id)
order by series.kind, series.title
