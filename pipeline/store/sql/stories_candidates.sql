-- For each wanted article (numbered n; its band keys are the n-th :band_count of :hashes) the stories it may belong to, found by link, folded title (band 16) or MinHash
-- band, within the time window; at most :limit per article, the most promising first. The inner limit bounds what a
-- template used by thousands of articles can cost.
with wanted as (
  select cast(place - 1 as integer) as n, at from unnest(cast(:at as timestamptz[])) with ordinality as t (at, place)
), keys as (
  select cast((place - 1) / :band_count as integer) as n, cast((place - 1) % :band_count as smallint) as band, hash
  from unnest(cast(:hashes as bigint[])) with ordinality as t (hash, place)
  where hash is not null
), bands as (
  select wanted.n, found.article_id, keys.band
  from keys
  join wanted on wanted.n = keys.n
  cross join lateral (
    select band.article_id, band.seen_at from article_bands as band
    where band.band = keys.band and band.hash = keys.hash
    order by band.article_id desc
    limit :band_limit
  ) as found
  where found.seen_at between wanted.at - :window and wanted.at + :window
), links as (
  select wanted.n, found.id as article_id
  from unnest(cast(:url_n as integer[]), cast(:url_key as bytea[])) as link (n, url_key)
  join wanted on wanted.n = link.n
  cross join lateral (
    select a.id from articles as a
    where a.url_key = link.url_key and a.story_id is not null
      and a.available_at between wanted.at - :window and wanted.at + :window
    order by a.first_seen_at desc
    limit :limit
  ) as found
), roads as (
  select n, article_id, 0 as road, 0 as common from links
  union all
  select n, article_id, case when bool_or(band = 16) then 1 else 2 end, count(*) from bands group by n, article_id
), ranked as (
  select roads.n, a.story_id, min(roads.road) as road, max(roads.common) as common,
    row_number() over (partition by roads.n order by min(roads.road), max(roads.common) desc, a.story_id) as rank
  from roads
  join articles as a on a.id = roads.article_id
  where a.story_id is not null
  group by roads.n, a.story_id
)
select ranked.n, ranked.story_id, ranked.road, story.title, story.text, story.available_at
from ranked
join stories as story on story.id = ranked.story_id
where ranked.rank <= :limit
order by ranked.n, ranked.rank
