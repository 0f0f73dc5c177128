insert into article_rejects (feed_id, seen_at, reason, detail, excerpt)
select feed_id, :seen_at, reason, detail, excerpt
from unnest(cast(:feed_id as integer[]), cast(:reason as text[]), cast(:detail as text[]), cast(:excerpt as text[]))
  as new (feed_id, reason, detail, excerpt)
