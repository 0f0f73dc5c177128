-- The next staged rows in time order into articles with their first revision; what became of them, per feed.
with chunk as materialized (
  select * from staged_articles
  where (available_at, n) > (:last_at, :last_n)
  order by available_at, n
  limit :limit
), stored as (
  insert into articles (feed_id, item_key, guid, url, url_key, source, title, summary, body, author, categories, language,
    language_p, published_raw, published_at, tz_source, date_status, first_seen_at, event_at, available_at, backfilled,
    content_hash, corrected, flags)
  select feed_id, item_key, guid, url, url_key, source, title, summary, body, author,
    coalesce(string_to_array(categories, E'\x1f'), '{}'), language, language_p, published_raw, published_at, tz_source,
    date_status, first_seen_at, event_at, available_at, backfilled, content_hash, corrected,
    coalesce(string_to_array(flags, E'\x1f'), '{}')
  from chunk
  order by available_at, n
  on conflict (feed_id, item_key) do nothing
  returning id, feed_id, title, summary, body, content_hash, first_seen_at, corrected
), revised as (
  insert into article_revisions (article_id, revision, seen_at, title, summary, body, content_hash, is_correction)
  select id, 1, first_seen_at, title, summary, body, content_hash, corrected from stored
), counted as (
  select chunk.feed_id, count(*) as rows, count(distinct chunk.item_key) as keys,
    (select count(*) from stored where stored.feed_id = chunk.feed_id) as new
  from chunk group by chunk.feed_id
)
select (select count(*) from chunk) as rows, (select min(available_at) from chunk) as oldest_at,
  (select available_at from chunk order by available_at desc, n desc limit 1) as last_at,
  (select n from chunk order by available_at desc, n desc limit 1) as last_n,
  (select jsonb_agg(jsonb_build_array(feed_id, rows, keys, new)) from counted) as counts
