-- The open alert of each series, or else the newest one that resolved lately enough to be reopened.
select distinct on (series_id) id, series_id, memory, told, inhibited_by, cause, model_version_id
from alerts
where not is_test and (state <> 'resolved' or resolved_at >= :since)
order by series_id, (state <> 'resolved') desc, id desc
