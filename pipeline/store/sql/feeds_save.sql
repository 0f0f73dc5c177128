-- One feed by name; `moved` says that its address changed, so that what polling remembers is of no use,
-- `returned` that it had been removed. A pause is a person's:
-- the list leaves it as it is, and only a person who adds the feed (anew) ends it.
with before as (select id, url, removed_at from feeds where name = :name),
saved as (
  insert into feeds (name, url, title, origin, enabled, language, default_tz, tags, min_interval_s, user_agent,
    may_store_body, may_train, full_text, added_at)
  values (:name, :url, :title, :origin, :enabled, :language, :default_tz, cast(:tags as text[]), :min_interval_s, :user_agent,
    :may_store_body, :may_train, :full_text, :as_of)
  on conflict (name) do update set
    url = excluded.url, title = excluded.title, origin = excluded.origin, enabled = excluded.enabled,
    language = excluded.language, default_tz = excluded.default_tz, tags = excluded.tags,
    min_interval_s = excluded.min_interval_s, user_agent = excluded.user_agent,
    may_store_body = excluded.may_store_body, may_train = excluded.may_train, full_text = excluded.full_text,
    removed_at = null,
    paused_at = case when excluded.origin = 'desk' then null else feeds.paused_at end
  returning id, url
)
select saved.id, coalesce(before.url <> saved.url, false) as moved, before.removed_at is not null as returned
from saved left join before using (id)
