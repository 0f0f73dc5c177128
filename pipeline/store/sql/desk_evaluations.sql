-- What the detector saw of a series, tick by tick.
select tick_at, window_hours, negative, other, expected, variance, score, state
from evaluations
where series_id = :series_id and tick_at >= :since and tick_at < :until
order by tick_at
