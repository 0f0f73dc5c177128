-- Live counts of the windows of 1 h, 4 h and 24 h that end at :tick_at.
select series_id,
       coalesce(sum(negative) filter (where window_start >= :tick_at - interval '1 hour'), 0) as negative_1,
       coalesce(sum(negative) filter (where window_start >= :tick_at - interval '4 hours'), 0) as negative_4,
       sum(negative) as negative_24,
       coalesce(sum(other) filter (where window_start >= :tick_at - interval '1 hour'), 0) as other_1,
       coalesce(sum(other) filter (where window_start >= :tick_at - interval '4 hours'), 0) as other_4,
       sum(other) as other_24,
       coalesce(sum(copies) filter (where window_start >= :tick_at - interval '1 hour'), 0) as copies_1,
       coalesce(sum(copies) filter (where window_start >= :tick_at - interval '4 hours'), 0) as copies_4,
       sum(copies) as copies_24
from windows
where window_start >= :tick_at - interval '24 hours' and window_start < :tick_at
group by series_id
having sum(negative + other + copies) > 0
