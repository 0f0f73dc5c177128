-- Live counts of [:start, :end), each story under the model that was champion when it came.
select series_id, window_start, sum(negative) as negative, sum(other) as other, sum(copies) as copies
from windows
where window_start >= :start and window_start < :end and negative + other + copies > 0
group by series_id, window_start
