insert into alerts
  (series_id, state, severity, pending_at, last_crossed_at, last_evaluated_at, peak_score, rule_version,
   model_version_id, is_test)
values
  (:series_id, :state, :severity, :pending_at, :pending_at, :pending_at, :peak_score, :rule_version,
   :model_version_id, :is_test)
returning id
