-- Live counts of the windows of 1 h, 4 h and 24 h that end at :tick_at. Their starts are parameters and the sums plain
-- cases, because this is the query of a tick that reads most: 48,000 rows where 500 series are busy.
select series_id,
       sum(case when window_start >= :start_1 then negative else 0 end) as negative_1,
       sum(case when window_start >= :start_4 then negative else 0 end) as negative_4,
       sum(negative) as negative_24,
       sum(case when window_start >= :start_1 then other else 0 end) as other_1,
       sum(case when window_start >= :start_4 then other else 0 end) as other_4,
       sum(other) as other_24,
       sum(case when window_start >= :start_1 then copies else 0 end) as copies_1,
       sum(case when window_start >= :start_4 then copies else 0 end) as copies_4,
       sum(copies) as copies_24
from windows
where window_start >= :start_24 and window_start < :tick_at
group by series_id
