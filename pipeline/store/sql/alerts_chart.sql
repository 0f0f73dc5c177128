-- Live negative stories per hour of [:start, :end).
select date_bin('1 hour', window_start, 'epoch') as hour, sum(negative) as negative
from windows
where series_id = :series_id and window_start >= :start and window_start < :end
group by 1
