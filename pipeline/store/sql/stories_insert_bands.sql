-- Copy keys of the first articles of new stories: the n-th :band_count of :hashes belong to the n-th article.
insert into article_bands (band, hash, article_id, seen_at)
select (key.place - 1) % :band_count, key.hash, first.article_id, first.seen_at
from unnest(cast(:hashes as bigint[])) with ordinality as key (hash, place)
join unnest(cast(:article_id as bigint[]), cast(:seen_at as timestamptz[])) with ordinality as first (article_id, seen_at, place)
  on first.place = (key.place - 1) / :band_count + 1
where key.hash is not null
on conflict do nothing
