-- Only what is given changes; `data` and `metrics` are merged key by key.
update retrainings set
  state = coalesce(:state, state),
  finished_at = coalesce(cast(:finished_at as timestamptz), finished_at),
  challenger_id = coalesce(cast(:challenger_id as integer), challenger_id),
  label_count = coalesce(cast(:label_count as integer), label_count),
  data = data || cast(:data as jsonb),
  metrics = metrics || cast(:metrics as jsonb),
  reasons = coalesce(cast(:reasons as jsonb), reasons),
  report_path = coalesce(:report_path, report_path)
where run_key = :run_key
