-- Hourly or daily counts of one series, by the champion of each span.
select rollup.start_at, sum(rollup.negative) as negative, sum(rollup.neutral) as neutral, sum(rollup.positive) as positive
from sentiment_rollups as rollup
join champion_periods as champion using (model_version_id)
where rollup.span_minutes = :span_minutes and rollup.series_id = :series_id
  and rollup.start_at >= :since and rollup.start_at < :until
  and rollup.start_at >= date_bin(make_interval(mins => :span_minutes), champion.starts_at, 'epoch')
  and rollup.start_at < date_bin(make_interval(mins => :span_minutes), champion.ends_at, 'epoch')
group by rollup.start_at
order by rollup.start_at
