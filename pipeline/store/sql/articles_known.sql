-- Stored articles under the wanted keys, as identity sees them. One by one (`offset 0`): the planner would rather read whole
-- tables, which costs more the more is stored.
select a.id, a.feed_id, a.item_key, a.title, a.content_hash, a.published_at, a.first_seen_at, a.revision,
  case when a.revision > 1
    then array(select r.content_hash from article_revisions as r where r.article_id = a.id) end as hashes
from unnest(cast(:feed_ids as integer[]), string_to_array(:keys, E'\x1d', E'\x1e')) as wanted (feed_id, key)
cross join lateral (
  select * from articles as stored where stored.feed_id = wanted.feed_id and stored.item_key = decode(wanted.key, 'hex') offset 0
) as a
