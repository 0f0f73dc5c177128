insert into feed_fetches (feed_id, started_at, duration_ms, outcome, http_status, bytes_wire, bytes_body, error_class,
  error_message, seen, new, revised, unchanged, duplicate, rejected, bad_dates, warnings, egress_down)
select feed_id, started_at, duration_ms, outcome, http_status, bytes_wire, bytes_body, error_class, error_message,
  seen, new, revised, unchanged, duplicate, rejected, bad_dates, coalesce(warnings, '{}'), outcome = 'egress_down'
from jsonb_to_recordset(cast(:fetches as jsonb)) as poll (
  feed_id integer, started_at timestamptz, duration_ms integer, outcome text, http_status smallint, bytes_wire bigint,
  bytes_body bigint, error_class text, error_message text, seen integer, new integer, revised integer, unchanged integer,
  duplicate integer, rejected integer, bad_dates integer, warnings text[]
)
