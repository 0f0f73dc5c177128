-- For each wanted article (numbered n) the stories it may belong to, found by link, folded title (band 16) or MinHash
-- band, within the time window; at most :limit per article, the most promising first. The inner limit bounds what a
-- template used by thousands of articles can cost.
with bands as (
  select wanted.n, found.article_id, wanted.band
  from unnest(cast(:n as integer[]), cast(:band as smallint[]), cast(:hash as bigint[]), cast(:at as timestamptz[])) as wanted (n, band, hash, at)
  cross join lateral (
    select band.article_id, band.seen_at from article_bands as band
    where band.band = wanted.band and band.hash = wanted.hash
    order by band.article_id desc
    limit :band_limit
  ) as found
  where found.seen_at between wanted.at - :window and wanted.at + :window
), links as (
  select wanted.n, found.id as article_id
  from unnest(cast(:url_n as integer[]), cast(:url_key as bytea[]), cast(:url_at as timestamptz[])) as wanted (n, url_key, at)
  cross join lateral (
    select a.id from articles as a
    where a.url_key = wanted.url_key and a.story_id is not null
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
