-- Other names of articles that have not been renamed before; the flag remembers it.
with renamed as (
  update articles set flags = flags || '{renamed}'
  where id = any(cast(:article_id as bigint[])) and not 'renamed' = any(flags)
  returning id
)
insert into article_aliases (feed_id, alias_hash, article_id, kind)
select feed_id, decode(alias_hash, 'hex'), article_id, kind
from unnest(cast(:feed_id as integer[]), string_to_array(:alias_hash, E'\x1d', E'\x1e'), cast(:article_id as bigint[]),
  string_to_array(:kind, E'\x1d', E'\x1e')) as new (feed_id, alias_hash, article_id, kind)
join renamed on renamed.id = article_id
on conflict do nothing
