-- A resolved alert says who had taken it; one that is reopened has to be taken again. A silence or cause is what held of
-- the last opening or rise.
update alerts set
  state = :state, severity = :severity, fired_at = :fired_at, last_crossed_at = :last_crossed_at,
  last_evaluated_at = :tick_at, resolved_at = :resolved_at, reopened = :reopened, peak_score = :peak_score,
  memory = cast(:memory as jsonb),
  acknowledged_at = case when :reopened > reopened then null else acknowledged_at end,
  acknowledged_by = case when :reopened > reopened then null else acknowledged_by end
where id = :id
