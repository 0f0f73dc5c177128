-- Feeds, articles with revisions, stories, companies and mentions.
-- Times: timestamptz, UTC. Hashes: 16-byte blake2b or sha256 prefixes. `available_at` is the only time that
-- scoring windows, alerts and back-tests may use: nothing can be known before it was seen.

create table feeds (
  id               integer generated always as identity primary key,
  name             text not null unique,
  url              text not null,
  title            text not null default '',
  origin           text not null default 'file' check (origin in ('file', 'desk', 'import')),
  enabled          boolean not null default true,
  language         text,
  default_tz       text,
  tags             text[] not null default '{}',
  min_interval_s   integer not null default 300 check (min_interval_s >= 1),
  user_agent       text,
  may_store_body   boolean not null default true,
  may_train        boolean not null default true,
  full_text        boolean not null default false,
  added_at         timestamptz not null,
  removed_at       timestamptz
);
comment on table feeds is 'An RSS, Atom or JSON feed that is polled, or the door of an import; one row per name in feeds.toml.';
comment on column feeds.id is 'Surrogate key.';
comment on column feeds.name is 'Short unique name, as in feeds.toml; imports use import:<source>.';
comment on column feeds.url is 'Address that is fetched now; permanent redirects rewrite it and the old one stays in feed_states.';
comment on column feeds.title is 'Human title of the outlet.';
comment on column feeds.origin is 'Where the row came from: file (feeds.toml), desk (added by a person), import (archive files).';
comment on column feeds.enabled is 'False: not polled.';
comment on column feeds.language is 'ISO 639-1 code to assume, or null to detect it per article.';
comment on column feeds.default_tz is 'IANA zone for dates without one, or null.';
comment on column feeds.tags is 'Free words for filters and routes.';
comment on column feeds.min_interval_s is 'Shortest time between two polls, seconds.';
comment on column feeds.user_agent is 'User-Agent for this feed, or null for the default.';
comment on column feeds.may_store_body is 'Licence: false keeps title and link only.';
comment on column feeds.may_train is 'Licence: false keeps its texts out of training data.';
comment on column feeds.full_text is 'True: fetch the article page too (robots respected).';
comment on column feeds.added_at is 'When the feed was first configured, UTC.';
comment on column feeds.removed_at is 'When it left feeds.toml, UTC; its articles stay.';

create table feed_states (
  feed_id             integer primary key references feeds on delete cascade,
  status              text not null default 'ok' check (status in ('ok', 'backing_off', 'rate_limited', 'gone', 'challenge', 'dead')),
  error_class         text,
  error_message       text,
  error_count         integer not null default 0,
  first_error_at      timestamptz,
  last_attempt_at     timestamptz,
  last_ok_at          timestamptz,
  last_new_item_at    timestamptz,
  next_due_at         timestamptz,
  next_due_reason     text,
  etag                text,
  last_modified       text,
  validators_url      text,
  body_hash           bytea,
  redirect_to         text,
  redirect_seen       integer not null default 0,
  redirect_first_at   timestamptz,
  previous_urls       text[] not null default '{}',
  gone_seen           integer not null default 0,
  gone_first_at       timestamptz,
  identity_policy     text not null default 'guid' check (identity_policy in ('guid', 'link', 'title_date', 'title_content')),
  hints               jsonb not null default '{}',
  median_gap_s        double precision,
  usual_body_chars    double precision,
  health_told         jsonb not null default '{}'
);
comment on table feed_states is 'What polling remembers of a feed: HTTP validators, errors, when it is due and why. One row per feed.';
comment on column feed_states.feed_id is 'The feed.';
comment on column feed_states.status is 'ok, backing_off, rate_limited, gone (410 twice), challenge (bot wall), dead (disabled by a person).';
comment on column feed_states.error_class is 'Class of the last error, null when the last attempt was fine.';
comment on column feed_states.error_message is 'One line of the last error; no secrets.';
comment on column feed_states.error_count is 'Errors in a row.';
comment on column feed_states.first_error_at is 'First error of the present row of errors, UTC.';
comment on column feed_states.last_attempt_at is 'Last poll, UTC.';
comment on column feed_states.last_ok_at is 'Last poll that ended well, UTC.';
comment on column feed_states.last_new_item_at is 'Last poll that brought a new article, UTC.';
comment on column feed_states.next_due_at is 'When to poll next, UTC; null: at once.';
comment on column feed_states.next_due_reason is 'The rule that set next_due_at, in words.';
comment on column feed_states.etag is 'ETag byte for byte as last received.';
comment on column feed_states.last_modified is 'Last-Modified byte for byte as last received.';
comment on column feed_states.validators_url is 'Address that the validators belong to.';
comment on column feed_states.body_hash is 'blake2b-128 of the last decoded body; equal bodies are not parsed.';
comment on column feed_states.redirect_to is 'Target of the permanent redirect seen lately.';
comment on column feed_states.redirect_seen is 'How often that permanent redirect was seen in a row.';
comment on column feed_states.redirect_first_at is 'When it was first seen, UTC.';
comment on column feed_states.previous_urls is 'Addresses that permanent redirects replaced.';
comment on column feed_states.gone_seen is 'How often 410 Gone was answered in a row.';
comment on column feed_states.gone_first_at is 'First 410 of that row, UTC.';
comment on column feed_states.identity_policy is 'Rung of the identity ladder in use for items.';
comment on column feed_states.hints is 'ttl (s), max_age (s), skip_hours, skip_days of the last answer.';
comment on column feed_states.median_gap_s is 'Median gap between its last articles, seconds.';
comment on column feed_states.usual_body_chars is 'Median text length of its articles, characters.';
comment on column feed_states.health_told is 'Health problems the operator was told of: problem -> time.';

create table host_states (
  host           text primary key,
  not_before_at  timestamptz not null,
  reason         text not null
);
comment on table host_states is 'Hosts that asked to be left alone (429 with Retry-After).';
comment on column host_states.host is 'Host name, lower case.';
comment on column host_states.not_before_at is 'No request before this time, UTC.';
comment on column host_states.reason is 'Why, in words.';

create table feed_fetches (
  id             bigint generated always as identity,
  feed_id        integer not null references feeds on delete cascade,
  started_at     timestamptz not null,
  duration_ms    integer not null default 0,
  outcome        text not null,
  http_status    smallint,
  bytes_wire     bigint not null default 0,
  bytes_body     bigint not null default 0,
  error_class    text,
  error_message  text,
  seen           integer not null default 0,
  new            integer not null default 0,
  revised        integer not null default 0,
  unchanged      integer not null default 0,
  duplicate      integer not null default 0,
  rejected       integer not null default 0,
  bad_dates      integer not null default 0,
  warnings       text[] not null default '{}',
  egress_down    boolean not null default false,
  primary key (id, started_at),
  constraint conservation_law check (seen = new + revised + unchanged + duplicate + rejected)
) partition by range (started_at);
create table feed_fetches_default partition of feed_fetches default;
create index feed_fetches_feed on feed_fetches (feed_id, started_at desc);
comment on table feed_fetches is 'One row per poll of a feed; seen = new + revised + unchanged + duplicate + rejected always holds. Partitioned by month.';
comment on column feed_fetches.id is 'Surrogate key.';
comment on column feed_fetches.feed_id is 'The feed.';
comment on column feed_fetches.started_at is 'Start of the poll, UTC.';
comment on column feed_fetches.duration_ms is 'Duration, milliseconds.';
comment on column feed_fetches.outcome is 'ok, not_modified, same_body, error, egress_down, imported.';
comment on column feed_fetches.http_status is 'Last HTTP status, null if none came.';
comment on column feed_fetches.bytes_wire is 'Bytes received.';
comment on column feed_fetches.bytes_body is 'Bytes after decoding.';
comment on column feed_fetches.error_class is 'Class of the error, null if none.';
comment on column feed_fetches.error_message is 'One line of it; no secrets.';
comment on column feed_fetches.seen is 'Items in the document.';
comment on column feed_fetches.new is 'Items stored as new articles.';
comment on column feed_fetches.revised is 'Items that changed a stored article.';
comment on column feed_fetches.unchanged is 'Items equal to a stored article.';
comment on column feed_fetches.duplicate is 'Items that repeat another item of the same document.';
comment on column feed_fetches.rejected is 'Items not stored; article_rejects says why, in a row each, and one for all that the parser lost.';
comment on column feed_fetches.bad_dates is 'New items whose date was missing or not usable.';
comment on column feed_fetches.warnings is 'Classes of parse warnings.';
comment on column feed_fetches.egress_down is 'True: most hosts failed at once, so no feed was blamed.';

create table article_rejects (
  id        bigint generated always as identity primary key,
  feed_id   integer not null references feeds on delete cascade,
  seen_at   timestamptz not null,
  reason    text not null,
  detail    text not null default '',
  excerpt   text not null default ''
);
create index article_rejects_feed on article_rejects (feed_id, seen_at desc);
comment on table article_rejects is 'Items that could not be stored, each with its reason.';
comment on column article_rejects.id is 'Surrogate key.';
comment on column article_rejects.feed_id is 'The feed.';
comment on column article_rejects.seen_at is 'When, UTC.';
comment on column article_rejects.reason is 'Class of the reason.';
comment on column article_rejects.detail is 'One line.';
comment on column article_rejects.excerpt is 'First 500 characters of the item, cleaned.';

create table stories (
  id                bigint generated always as identity primary key,
  first_article_id  bigint,
  title             text not null,
  text              text not null,
  text_hash         bytea not null,
  language          text,
  first_seen_at     timestamptz not null,
  available_at      timestamptz not null,
  last_seen_at      timestamptz not null,
  copies            integer not null default 1 check (copies >= 1),
  sources           integer not null default 1 check (sources >= 1),
  backfilled        boolean not null default false,
  search            tsvector generated always as (to_tsvector('english', left(title || ' ' || text, 20000))) stored
);
create index stories_available on stories (available_at desc, id desc);
create index stories_search on stories using gin (search);
create index stories_text_hash on stories (text_hash);
comment on table stories is 'The articles that tell the same thing; scored and counted once.';
comment on column stories.id is 'Surrogate key.';
comment on column stories.first_article_id is 'The article seen first; its first revision is what is scored.';
comment on column stories.title is 'Title of that article as first seen, plain text.';
comment on column stories.text is 'Text that is scored: title and summary (or start of the body) as first seen.';
comment on column stories.text_hash is 'blake2b-128 of text; identical texts are scored once.';
comment on column stories.language is 'ISO 639-1 code of the text, or null if unknown.';
comment on column stories.first_seen_at is 'When its first article was stored, UTC.';
comment on column stories.available_at is 'When it may be known: first_seen_at, for imported history published_at; UTC.';
comment on column stories.last_seen_at is 'When its newest copy was stored, UTC.';
comment on column stories.copies is 'Articles in the story, the first included.';
comment on column stories.sources is 'Distinct outlets among them.';
comment on column stories.backfilled is 'True: imported, or published more than 6 h before it arrived; counts in baselines only.';
comment on column stories.search is 'Full-text vector of title and text (English).';

create table articles (
  id               bigint generated always as identity primary key,
  feed_id          integer not null references feeds,
  item_key         bytea not null,
  guid             text,
  url              text,
  url_key          bytea,
  source           text not null,
  title            text not null,
  summary          text not null default '',
  body             text,
  author           text,
  categories       text[] not null default '{}',
  language         text,
  language_p       real,
  published_raw    text,
  published_at     timestamptz,
  tz_source        text not null default 'none' check (tz_source in ('offset', 'abbreviation', 'feed_default', 'none')),
  date_status      text not null default 'missing' check (date_status in ('ok', 'missing', 'unparseable', 'ambiguous_tz', 'date_only', 'future', 'ancient')),
  first_seen_at    timestamptz not null,
  event_at         timestamptz not null,
  available_at     timestamptz not null,
  backfilled       boolean not null default false,
  content_hash     bytea not null,
  revision         integer not null default 1,
  corrected        boolean not null default false,
  flags            text[] not null default '{}',
  story_id         bigint references stories,
  story_match      text check (story_match in ('first', 'url', 'title', 'near_copy')),
  unique (feed_id, item_key)
);
create index articles_story on articles (story_id);
create index articles_available on articles (available_at desc, id desc);
create index articles_ungrouped on articles (id) where story_id is null;
create index articles_url_key on articles (url_key, first_seen_at desc) where url_key is not null;
create index articles_feed_seen on articles (feed_id, first_seen_at desc);
alter table stories add constraint stories_first_article foreign key (first_article_id) references articles deferrable initially deferred;
comment on table articles is 'One item of a feed or import, as last seen; earlier states are in article_revisions.';
comment on column articles.id is 'Surrogate key.';
comment on column articles.feed_id is 'The feed it came by.';
comment on column articles.item_key is 'Identity inside the feed: 16 bytes of sha256 over the ladder rung and its value.';
comment on column articles.guid is 'The item''s own id, as given.';
comment on column articles.url is 'http(s) link, or null.';
comment on column articles.url_key is 'blake2b-128 of the canonical link, or null.';
comment on column articles.source is 'Outlet name: the feed title, or the source named by the item or import.';
comment on column articles.title is 'Plain text title.';
comment on column articles.summary is 'Plain text summary.';
comment on column articles.body is 'Plain text body, null if none or not licensed.';
comment on column articles.author is 'Author as given.';
comment on column articles.categories is 'Categories as given, at most 32.';
comment on column articles.language is 'ISO 639-1 code, or null.';
comment on column articles.language_p is 'Confidence in language, 0 to 1.';
comment on column articles.published_raw is 'The date as given.';
comment on column articles.published_at is 'The date read from it, UTC; null if it could not be read without guessing.';
comment on column articles.tz_source is 'Where the zone came from.';
comment on column articles.date_status is 'ok, or why published_at is not to be trusted.';
comment on column articles.first_seen_at is 'When it was stored, UTC.';
comment on column articles.event_at is 'published_at if trusted and not after first_seen_at + 2 min, else first_seen_at; UTC. For display.';
comment on column articles.available_at is 'When it may be known: first_seen_at, for imported history published_at; UTC.';
comment on column articles.backfilled is 'True: imported, or published more than 6 h before it arrived.';
comment on column articles.content_hash is 'blake2b-128 of title, summary and body without volatile parts.';
comment on column articles.revision is 'Number of the present revision, from 1.';
comment on column articles.corrected is 'True: a later revision was marked as a correction.';
comment on column articles.flags is 'What was noticed: truncated, bidi, hidden_text, ...; renamed: it came again unchanged, under another name.';
comment on column articles.story_id is 'Its story; null until grouped.';
comment on column articles.story_match is 'How it joined: first, url, title, near_copy.';

create table article_revisions (
  article_id     bigint not null references articles on delete cascade,
  revision       integer not null,
  seen_at        timestamptz not null,
  title          text not null,
  summary        text not null,
  body           text,
  content_hash   bytea not null,
  is_correction  boolean not null default false,
  primary key (article_id, revision)
);
comment on table article_revisions is 'Every state an article was seen in; append-only.';
comment on column article_revisions.article_id is 'The article.';
comment on column article_revisions.revision is 'From 1.';
comment on column article_revisions.seen_at is 'When this state was first seen, UTC.';
comment on column article_revisions.title is 'Title then.';
comment on column article_revisions.summary is 'Summary then.';
comment on column article_revisions.body is 'Body then.';
comment on column article_revisions.content_hash is 'As in articles.';
comment on column article_revisions.is_correction is 'True: its words say that it corrects.';

create table article_aliases (
  feed_id     integer not null references feeds on delete cascade,
  alias_hash  bytea not null,
  article_id  bigint not null references articles on delete cascade,
  kind        text not null,
  primary key (feed_id, alias_hash)
);
create index article_aliases_article on article_aliases (article_id);
comment on table article_aliases is 'Other names under which an article may come again (raw guid, link, folded title and day).';
comment on column article_aliases.feed_id is 'The feed.';
comment on column article_aliases.alias_hash is 'blake2b-128 of kind and value.';
comment on column article_aliases.article_id is 'The article.';
comment on column article_aliases.kind is 'guid, guid_path, link, title_day.';

create table article_bands (
  band        smallint not null,
  hash        bigint not null,
  article_id  bigint not null references articles on delete cascade,
  seen_at     timestamptz not null,
  primary key (band, hash, article_id)
);
comment on table article_bands is 'MinHash band keys of the first article of each story of the last days, for finding copies.';
comment on column article_bands.band is 'Number of the band, 0 to 15; 16 holds the folded title.';
comment on column article_bands.hash is 'Key of the band.';
comment on column article_bands.article_id is 'The article.';
comment on column article_bands.seen_at is 'When it was seen, UTC; older than 72 h is pruned.';
create index article_bands_seen on article_bands (seen_at);

create table companies (
  id                 integer generated always as identity primary key,
  name               text not null unique,
  ticker             text,
  sector             text,
  aliases            text[] not null default '{}',
  negative_contexts  text[] not null default '{}',
  match              jsonb not null default '{}',
  enabled            boolean not null default true,
  origin             text not null default 'file',
  added_at           timestamptz not null
);
comment on table companies is 'The watch list.';
comment on column companies.id is 'Surrogate key.';
comment on column companies.name is 'Name shown and matched.';
comment on column companies.ticker is 'Exchange ticker, or null.';
comment on column companies.sector is 'Sector, or null; makes a Series of its own.';
comment on column companies.aliases is 'Other names that match.';
comment on column companies.negative_contexts is 'Phrases in which the name does not mean the company.';
comment on column companies.match is 'Options of the matcher (case, ticker_needs_sign, ...).';
comment on column companies.enabled is 'False: no longer matched; history stays.';
comment on column companies.origin is 'file, desk, import, demo.';
comment on column companies.added_at is 'When, UTC.';

create table mentions (
  article_id  bigint not null references articles on delete cascade,
  company_id  integer not null references companies,
  relevance   real not null check (relevance between 0 and 1),
  in_title    boolean not null,
  hits        integer not null check (hits >= 1),
  spans       jsonb not null default '[]',
  primary key (article_id, company_id)
);
create index mentions_company on mentions (company_id, article_id desc);
comment on table mentions is 'A company in an article.';
comment on column mentions.article_id is 'The article.';
comment on column mentions.company_id is 'The company.';
comment on column mentions.relevance is 'How much the article is about it, 0 to 1, by place and frequency.';
comment on column mentions.in_title is 'True: named in the title.';
comment on column mentions.hits is 'How often it is named.';
comment on column mentions.spans is '[[start, end], ...] character offsets in the story text (title, newline, summary).';

create table story_novelties (
  story_id     bigint not null references stories on delete cascade,
  company_id   integer not null references companies,
  novelty_12h  real not null,
  novelty_24h  real not null,
  novelty_3d   real not null,
  novelty_5d   real not null,
  novelty_7d   real not null,
  primary key (story_id, company_id)
);
comment on table story_novelties is 'How new a story is for a company.';
comment on column story_novelties.story_id is 'The story.';
comment on column story_novelties.company_id is 'The company.';
comment on column story_novelties.novelty_12h is 'Share of its word 3-shingles not seen for the company in the last 12 h, 0 to 1.';
comment on column story_novelties.novelty_24h is 'Likewise, 24 h.';
comment on column story_novelties.novelty_3d is 'Likewise, 3 days.';
comment on column story_novelties.novelty_5d is 'Likewise, 5 days.';
comment on column story_novelties.novelty_7d is 'Likewise, 7 days.';
