select alert.id, alert.series_id, alert.fired_at, alert.severity, alert.told,
       (select said.kind from feedback as said
        where said.alert_id = alert.id and said.kind in ('useful', 'noise')
        order by said.id desc limit 1) as feedback
from alerts as alert
where alert.fired_at >= :start and alert.fired_at < :end and not alert.is_test
order by alert.fired_at, alert.id
