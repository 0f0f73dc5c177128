select started_at, duration_ms, outcome, http_status, seen, new, revised, unchanged, duplicate, rejected, error_class, error_message
from feed_fetches
where feed_id = :feed_id
order by started_at desc
limit 60
