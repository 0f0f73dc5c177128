-- Keys of new stories: the n-th :band_count of :hashes belong to the n-th story.
insert into story_keys (hash, band, story_id, seen_at)
select key.hash, (key.place - 1) % :band_count, story.id, story.seen_at
from unnest(cast(:hashes as bigint[])) with ordinality as key (hash, place)
join unnest(cast(:story_id as bigint[]), cast(:seen_at as timestamptz[])) with ordinality as story (id, seen_at, place)
  on story.place = (key.place - 1) / :band_count + 1
where key.hash is not null
