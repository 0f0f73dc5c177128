select alias.alias_hash, a.id, a.feed_id, a.item_key, a.title, a.content_hash, a.published_at, a.first_seen_at, a.revision,
  case when a.revision > 1
    then array(select r.content_hash from article_revisions as r where r.article_id = a.id) end as hashes
from (select distinct * from unnest(cast(:feed_ids as integer[]), cast(:hashes as bytea[])) as w (feed_id, alias_hash)) as wanted
join article_aliases as alias using (feed_id, alias_hash)
join articles as a on a.id = alias.article_id
