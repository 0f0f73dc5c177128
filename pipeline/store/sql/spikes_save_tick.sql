insert into ticks
  (tick_at, evaluated_at, baseline_id, model_version_id, rule_version, market_factor, coverage, details)
values
  (:tick_at, :evaluated_at, :baseline_id, :model_version_id, :rule_version, :market_factor, :coverage,
   cast(:details as jsonb))
