-- Acknowledging ends on resolve; a silence or cause is what held of the last opening or rise.
update alerts set
  state = :state, severity = :severity, fired_at = :fired_at, last_crossed_at = :last_crossed_at,
  last_evaluated_at = :tick_at, resolved_at = :resolved_at, reopened = :reopened, peak_score = :peak_score,
  memory = cast(:memory as jsonb),
  acknowledged_at = case when :state = 'resolved' then null else acknowledged_at end,
  acknowledged_by = case when :state = 'resolved' then null else acknowledged_by end
where id = :id
