-- Stored articles under the wanted keys, as identity sees them.
select a.id, a.feed_id, a.item_key, a.title, a.content_hash, a.published_at, a.first_seen_at, a.revision,
  case when a.revision > 1
    then array(select r.content_hash from article_revisions as r where r.article_id = a.id) end as hashes
from (select distinct * from unnest(cast(:feed_ids as integer[]), cast(:keys as bytea[])) as w (feed_id, item_key)) as wanted
join articles as a using (feed_id, item_key)
