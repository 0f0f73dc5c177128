drop table if exists pg_temp.staged_articles;
create temporary table staged_articles (
  n bigint generated always as identity, feed_id integer, item_key bytea, guid text, url text, url_key bytea, source text,
  title text, summary text, body text, author text, categories text, language text, language_p real, published_raw text,
  published_at timestamptz, tz_source text, date_status text, first_seen_at timestamptz, event_at timestamptz,
  available_at timestamptz, backfilled boolean, content_hash bytea, corrected boolean, flags text
) on commit preserve rows
