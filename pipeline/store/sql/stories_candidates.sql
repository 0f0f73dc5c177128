-- For each wanted article (numbered n; its keys are the n-th :key_count of :hashes) the stories it may belong to, found by
-- link, folded title (the last key) or MinHash band, within the time window; at most :limit per article, the most promising first.
-- :own stories, which articles of this transaction begin until they are placed, are none yet. Inner limits bound what a template
-- used by thousands of articles can cost. The window is looked at after them, and stories are read one by one (`offset 0`): else the
-- planner weighs both against indexes on time and whole tables, and errs.
with wanted as (
  select cast(place - 1 as integer) as n, at from unnest(cast(string_to_array(:at, E'\x1d', E'\x1e') as timestamptz[])) with ordinality as t (at, place)
), bands as (
  select cast((key.place - 1) / :key_count as integer) as n, found.story_id, found.seen_at, found.band
  from unnest(cast(:hashes as bigint[])) with ordinality as key (hash, place)
  cross join lateral (
    select stored.story_id, stored.seen_at, stored.band from story_keys as stored
    where stored.hash = key.hash
    order by stored.story_id desc
    limit :band_limit
  ) as found
  where found.band = (key.place - 1) % :key_count
), links as (
  select link.n, found.story_id, found.available_at
  from unnest(cast(:url_n as integer[]), string_to_array(:url_key, E'\x1d', E'\x1e')) as link (n, url_key)
  cross join lateral (
    select a.story_id, a.available_at from articles as a
    where a.url_key = decode(link.url_key, 'hex') and a.story_id is not null
      and a.story_id <> all(cast(:own as bigint[]))
    order by a.first_seen_at desc
    limit :band_limit
  ) as found
), roads as (
  select n, story_id, available_at as seen_at, 0 as road, 0 as common from links
  union all
  select n, story_id, seen_at, case when bool_or(band = :key_count - 1) then 1 else 2 end, count(*) from bands group by n, story_id, seen_at
), ranked as (
  select n, story_id, min(road) as road,
    row_number() over (partition by n order by min(road), max(common) desc, story_id) as rank
  from roads
  join wanted using (n)
  where seen_at between at - :window and at + :window
  group by n, story_id
)
select ranked.n, ranked.story_id, ranked.road, story.title, story.text, story.available_at
from ranked
cross join lateral (select title, text, available_at from stories where id = ranked.story_id offset 0) as story
where ranked.rank <= :limit
order by ranked.n, ranked.rank
