select id, run_key, started_at, finished_at, state, champion_id, challenger_id, label_count, data, metrics, reasons, report_path
from retrainings
where cast(:run_key as text) is null or run_key = :run_key
order by started_at desc, id desc
limit :limit
