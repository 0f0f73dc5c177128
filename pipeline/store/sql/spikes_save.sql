insert into spikes
  (series_id, tick_at, window_start, window_end, negative, other, expected, variance, p, score, severity,
   baseline_id, model_version_id, rule_version, alert_id)
select r.series_id, :tick_at, :tick_at - make_interval(hours => r.window_hours), :tick_at, r.negative, r.other,
       r.expected, r.variance, r.p, r.score, r.severity, :baseline_id, :model_version_id, :rule_version, r.alert_id
from unnest(
  cast(:series_id as integer[]), cast(:window_hours as integer[]), cast(:negative as integer[]),
  cast(:other as integer[]), cast(:expected as double precision[]), cast(:variance as double precision[]),
  cast(:p as double precision[]), cast(:score as double precision[]), cast(:severity as text[]),
  cast(:alert_id as bigint[])
) as r (series_id, window_hours, negative, other, expected, variance, p, score, severity, alert_id)
on conflict do nothing
