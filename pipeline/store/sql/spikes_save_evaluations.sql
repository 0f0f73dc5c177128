insert into evaluations
  (series_id, tick_at, window_hours, negative, other, expected, variance, p, score, state)
select r.series_id, :tick_at, r.window_hours, r.negative, r.other, r.expected, r.variance, r.p, r.score, r.state
from unnest(
  cast(:series_id as integer[]), cast(:window_hours as smallint[]), cast(:negative as integer[]),
  cast(:other as integer[]), cast(:expected as double precision[]), cast(:variance as double precision[]),
  cast(:p as double precision[]), cast(:score as double precision[]), cast(:state as text[])
) as r (series_id, window_hours, negative, other, expected, variance, p, score, state)
on conflict do nothing
