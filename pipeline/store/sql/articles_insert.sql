-- Articles with their first revision; :grouped: each with the id of a story that it begins until it is known to be a copy.
-- A row that another run stored meanwhile is left as it is and not returned. Columns come as in pipeline.store.engine.texts.
with stored as (
  insert into articles (feed_id, item_key, guid, url, url_key, source, title, summary, body, author, categories, language,
    language_p, published_raw, published_at, tz_source, date_status, first_seen_at, event_at, available_at, backfilled,
    content_hash, corrected, flags, story_id, story_match)
  select feed_id, decode(item_key, 'hex'), guid, url, decode(url_key, 'hex'), coalesce(source, ''), coalesce(title, ''),
    coalesce(summary, ''), body, author, coalesce(string_to_array(categories, E'\x1f'), '{}'), language, language_p,
    published_raw, published_at, tz_source, date_status, first_seen_at, event_at, available_at, backfilled,
    decode(content_hash, 'hex'), corrected, coalesce(string_to_array(flags, E'\x1f'), '{}'),
    case when :grouped then nextval('stories_id_seq') end, case when :grouped then 'first' end
  from unnest(cast(:feed_id as integer[]), string_to_array(:item_key, E'\x1d', E'\x1e'),
    string_to_array(:guid, E'\x1d', E'\x1e'), string_to_array(:url, E'\x1d', E'\x1e'),
    string_to_array(:url_key, E'\x1d', E'\x1e'), string_to_array(:source, E'\x1d', E'\x1e'),
    string_to_array(:title, E'\x1d', E'\x1e'), string_to_array(:summary, E'\x1d', E'\x1e'),
    string_to_array(:body, E'\x1d', E'\x1e'), string_to_array(:author, E'\x1d', E'\x1e'),
    string_to_array(:categories, E'\x1d', E'\x1e'), string_to_array(:language, E'\x1d', E'\x1e'),
    cast(:language_p as real[]), string_to_array(:published_raw, E'\x1d', E'\x1e'),
    cast(string_to_array(:published_at, E'\x1d', E'\x1e') as timestamptz[]), string_to_array(:tz_source, E'\x1d', E'\x1e'),
    string_to_array(:date_status, E'\x1d', E'\x1e'), cast(string_to_array(:first_seen_at, E'\x1d', E'\x1e') as timestamptz[]),
    cast(string_to_array(:event_at, E'\x1d', E'\x1e') as timestamptz[]),
    cast(string_to_array(:available_at, E'\x1d', E'\x1e') as timestamptz[]), cast(:backfilled as boolean[]),
    string_to_array(:content_hash, E'\x1d', E'\x1e'), cast(:corrected as boolean[]),
    string_to_array(:flags, E'\x1d', E'\x1e')) as new (feed_id, item_key, guid, url, url_key, source, title, summary, body, author,
    categories, language, language_p, published_raw, published_at, tz_source, date_status, first_seen_at, event_at,
    available_at, backfilled, content_hash, corrected, flags)
  on conflict (feed_id, item_key) do nothing
  returning id, feed_id, item_key, title, summary, body, content_hash, first_seen_at, corrected, story_id
), revised as (
  insert into article_revisions (article_id, revision, seen_at, title, summary, body, content_hash, is_correction)
  select id, 1, first_seen_at, title, summary, body, content_hash, corrected from stored
)
select id, feed_id, item_key, story_id from stored
