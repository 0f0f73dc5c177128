insert into article_bands (band, hash, article_id, seen_at)
select * from unnest(cast(:band as smallint[]), cast(:hash as bigint[]), cast(:article_id as bigint[]), cast(:seen_at as timestamptz[]))
on conflict do nothing
