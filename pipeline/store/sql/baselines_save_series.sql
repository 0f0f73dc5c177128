insert into baseline_series (baseline_id, series_id, parameters)
select :baseline_id, row.series_id, row.parameters
from unnest(cast(:series_ids as integer[]), cast(:parameters as jsonb[])) as row (series_id, parameters)
