-- Live and backfilled stories per hour of [:start, :end), as one model version sees them.
select series_id, date_bin('1 hour', window_start, 'epoch') as hour,
       sum(negative + negative_history) as negative, sum(other + other_history) as other
from windows
where model_version_id = :model_version_id and window_start >= :start and window_start < :end
group by 1, 2
