-- Every series of the kinds asked for: the last 24 hours against the 7 days before, and whether an alert is open.
with counts as (
  select rollup.series_id,
         sum(rollup.negative + rollup.neutral + rollup.positive) filter (where rollup.start_at >= :day_ago) as stories,
         sum(rollup.negative) filter (where rollup.start_at >= :day_ago) as negative,
         sum(rollup.neutral) filter (where rollup.start_at >= :day_ago) as neutral,
         sum(rollup.positive) filter (where rollup.start_at >= :day_ago) as positive,
         sum(rollup.negative + rollup.neutral + rollup.positive) filter (where rollup.start_at < :day_ago) as stories_before,
         sum(rollup.positive - rollup.negative) filter (where rollup.start_at < :day_ago) as net_before,
         max(rollup.start_at) as last_at
  from sentiment_rollups as rollup
  join champion_periods as champion using (model_version_id)
  where rollup.span_minutes = 60 and rollup.start_at >= cast(:day_ago as timestamptz) - interval '7 days' and rollup.start_at < :until
    and rollup.start_at >= date_bin('1 hour', champion.starts_at, 'epoch')
    and rollup.start_at < date_bin('1 hour', champion.ends_at, 'epoch')
  group by rollup.series_id
)
select series.id, series.kind, series.key, series.title, company.ticker, company.sector,
       coalesce(counts.stories, 0) as stories, coalesce(counts.negative, 0) as negative,
       coalesce(counts.neutral, 0) as neutral, coalesce(counts.positive, 0) as positive,
       (counts.positive - counts.negative)::double precision / nullif(counts.stories, 0) as index_now,
       counts.net_before::double precision / nullif(counts.stories_before, 0) as index_before,
       counts.stories_before::double precision / 7 as usual_stories,
       alert.id as alert_id, alert.severity as alert_severity
from series
left join companies as company on company.id = series.company_id
left join counts on counts.series_id = series.id
left join alerts as alert on alert.series_id = series.id and alert.state in ('firing', 'held') and not alert.is_test
where series.kind = any(:kinds)
order by series.kind, series.title
