-- Stories that begin. Columns come as in pipeline.store.engine.texts.
insert into stories (id, first_article_id, title, text, text_hash, language, first_seen_at, available_at, last_seen_at, backfilled)
overriding system value
select id, article_id, coalesce(title, ''), coalesce(text, ''), decode(text_hash, 'hex'), language, first_seen_at, available_at,
  first_seen_at, backfilled
from unnest(cast(:id as bigint[]), cast(:article_id as bigint[]), string_to_array(:title, E'\x1d', E'\x1e'),
  string_to_array(:text, E'\x1d', E'\x1e'), string_to_array(:text_hash, E'\x1d', E'\x1e'),
  string_to_array(:language, E'\x1d', E'\x1e'), cast(string_to_array(:first_seen_at, E'\x1d', E'\x1e') as timestamptz[]),
  cast(string_to_array(:available_at, E'\x1d', E'\x1e') as timestamptz[]), cast(:backfilled as boolean[]))
  as new (id, article_id, title, text, text_hash, language, first_seen_at, available_at, backfilled)
