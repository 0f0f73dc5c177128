-- The row of a run; the same run finds its own again.
insert into retrainings (run_key, started_at, state, champion_id)
values (:run_key, :as_of, 'running', :champion_id)
on conflict (run_key) do update set run_key = excluded.run_key
returning id, run_key, started_at, finished_at, state, champion_id, challenger_id, label_count, data, metrics, reasons,
  report_path
