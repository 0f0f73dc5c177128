select event.at, series.kind as series_kind, series.key, event.kind, event.severity, event.detail
from alert_events as event
join alerts as alert on alert.id = event.alert_id and not alert.is_test
join series on series.id = alert.series_id
where event.actor = 'detect' and event.at > :start and event.at <= :end
