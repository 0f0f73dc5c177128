-- Counts of [:start, :end): live ones under the model that was champion when they came, backfilled ones under one model.
select series_id, window_start, sum(negative) as negative, sum(other) as other, sum(copies) as copies,
       max(negative_history) as negative_history, max(other_history) as other_history
from windows
where window_start >= :start and window_start < :end
group by series_id, window_start
