insert into stories (id, first_article_id, title, text, text_hash, language, first_seen_at, available_at, last_seen_at, backfilled)
overriding system value
select id, article_id, title, text, text_hash, language, first_seen_at, available_at, first_seen_at, backfilled
from unnest(cast(:id as bigint[]), cast(:article_id as bigint[]), cast(:title as text[]), cast(:text as text[]),
  cast(:text_hash as bytea[]), cast(:language as text[]), cast(:first_seen_at as timestamptz[]),
  cast(:available_at as timestamptz[]), cast(:backfilled as boolean[]))
  as new (id, article_id, title, text, text_hash, language, first_seen_at, available_at, backfilled)
