select at, kind, severity, actor from alert_events where alert_id = :alert_id order by id
