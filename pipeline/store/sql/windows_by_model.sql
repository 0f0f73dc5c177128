-- Stories of everything that each model version has counted in [:start, :end), and in [:recent, :end) alone.
select model_version_id,
       sum(negative + other + negative_history + other_history) as stories,
       coalesce(sum(negative + other + negative_history + other_history)
                  filter (where window_start >= :recent), 0) as lately
from windows
join series on series.id = windows.series_id and series.kind = 'all'
where window_start >= :start and window_start < :end
group by 1
order by 2 desc, 1 desc
