-- Daily index of many series for their sparklines.
select rollup.series_id, rollup.start_at, sum(rollup.positive - rollup.negative)::double precision
         / sum(rollup.negative + rollup.neutral + rollup.positive) as sentiment_index
from sentiment_rollups as rollup
join champion_periods as champion using (model_version_id)
where rollup.span_minutes = 1440 and rollup.series_id = any(:series_ids) and rollup.start_at >= :since and rollup.start_at < :until
  and rollup.start_at >= date_bin('1 day', champion.starts_at, 'epoch')
  and rollup.start_at < date_bin('1 day', champion.ends_at, 'epoch')
group by rollup.series_id, rollup.start_at
order by rollup.series_id, rollup.start_at
