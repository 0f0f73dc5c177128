-- Alerts of the period that people called useful and nobody called noise.
select alert.series_id, alert.fired_at
from alerts as alert
where alert.fired_at >= :start and alert.fired_at < :end and not alert.is_test
  and exists (select from feedback where feedback.alert_id = alert.id and feedback.kind in ('useful', 'acknowledge'))
  and not exists (select from feedback where feedback.alert_id = alert.id and feedback.kind = 'noise')
