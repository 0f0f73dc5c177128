insert into article_aliases (feed_id, alias_hash, article_id, kind)
select * from unnest(cast(:feed_id as integer[]), cast(:alias_hash as bytea[]), cast(:article_id as bigint[]), cast(:kind as text[]))
on conflict do nothing
