-- Live counts of the windows of 1 h, 4 h and 24 h that end at :tick_at.
select series_id,
       sum(negative) filter (where window_start >= :tick_at - interval '1 hour') as negative_1,
       sum(negative) filter (where window_start >= :tick_at - interval '4 hours') as negative_4,
       sum(negative) as negative_24,
       sum(other) filter (where window_start >= :tick_at - interval '1 hour') as other_1,
       sum(other) filter (where window_start >= :tick_at - interval '4 hours') as other_4,
       sum(other) as other_24,
       sum(copies) filter (where window_start >= :tick_at - interval '1 hour') as copies_1,
       sum(copies) filter (where window_start >= :tick_at - interval '4 hours') as copies_4,
       sum(copies) as copies_24
from windows
where window_start >= :tick_at - interval '24 hours' and window_start < :tick_at
group by series_id
having sum(negative + other + copies) > 0
