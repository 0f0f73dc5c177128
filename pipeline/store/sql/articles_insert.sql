-- Articles with their first revision. A row that another run stored meanwhile is left as it is and not returned.
with stored as (
  insert into articles (feed_id, item_key, guid, url, url_key, source, title, summary, body, author, categories, language,
    language_p, published_raw, published_at, tz_source, date_status, first_seen_at, event_at, available_at, backfilled,
    content_hash, corrected, flags)
  select feed_id, item_key, guid, url, url_key, source, title, summary, body, author,
    coalesce(string_to_array(categories, E'\x1f'), '{}'), language, language_p, published_raw, published_at, tz_source,
    date_status, first_seen_at, event_at, available_at, backfilled, content_hash, corrected,
    coalesce(string_to_array(flags, E'\x1f'), '{}')
  from unnest(cast(:feed_id as integer[]), cast(:item_key as bytea[]), cast(:guid as text[]), cast(:url as text[]),
    cast(:url_key as bytea[]), cast(:source as text[]), cast(:title as text[]), cast(:summary as text[]),
    cast(:body as text[]), cast(:author as text[]), cast(:categories as text[]), cast(:language as text[]),
    cast(:language_p as real[]), cast(:published_raw as text[]), cast(:published_at as timestamptz[]),
    cast(:tz_source as text[]), cast(:date_status as text[]), cast(:first_seen_at as timestamptz[]),
    cast(:event_at as timestamptz[]), cast(:available_at as timestamptz[]), cast(:backfilled as boolean[]),
    cast(:content_hash as bytea[]), cast(:corrected as boolean[]), cast(:flags as text[])) as new (feed_id, item_key, guid,
    url, url_key, source, title, summary, body, author, categories, language, language_p, published_raw, published_at,
    tz_source, date_status, first_seen_at, event_at, available_at, backfilled, content_hash, corrected, flags)
  on conflict (feed_id, item_key) do nothing
  returning id, feed_id, item_key, title, summary, body, content_hash, first_seen_at, corrected
), revised as (
  insert into article_revisions (article_id, revision, seen_at, title, summary, body, content_hash, is_correction)
  select id, 1, first_seen_at, title, summary, body, content_hash, corrected from stored
)
select id, feed_id, item_key from stored
