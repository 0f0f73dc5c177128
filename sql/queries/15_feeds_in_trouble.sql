-- Which feeds are in trouble, and what happens next with them?
select name, status, error_class, error_count, last_ok_at, round(silent_minutes::numeric / 60, 1) as silent_hours, silent,
       next_due_at, next_due_reason
from analytics.feed_health
where enabled and paused_at is null and (status <> 'ok' or silent or error_count > 0)
order by error_count desc, silent_minutes desc;
