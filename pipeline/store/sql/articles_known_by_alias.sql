-- Stored articles that hold the wanted aliases, one by one as in articles_known.sql.
select alias.alias_hash, a.id, a.feed_id, a.item_key, a.title, a.content_hash, a.published_at, a.first_seen_at, a.revision,
  case when a.revision > 1
    then array(select r.content_hash from article_revisions as r where r.article_id = a.id) end as hashes
from unnest(cast(:feed_ids as integer[]), string_to_array(:hashes, E'\x1d', E'\x1e')) as wanted (feed_id, key)
cross join lateral (
  select * from article_aliases as stored
  where stored.feed_id = wanted.feed_id and stored.alias_hash = decode(wanted.key, 'hex') offset 0
) as alias
join articles as a on a.id = alias.article_id
