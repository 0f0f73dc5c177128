-- Keys of new stories: the n-th :key_count of :hashes belong to the n-th story. In the order of the index, which costs less.
insert into story_keys (hash, band, story_id, seen_at)
select key.hash, (key.place - 1) % :key_count, story.id, story.seen_at
from unnest(cast(:hashes as bigint[])) with ordinality as key (hash, place)
join unnest(cast(:story_id as bigint[]), cast(string_to_array(:seen_at, E'\x1d', E'\x1e') as timestamptz[])) with ordinality as story (id, seen_at, place)
  on story.place = (key.place - 1) / :key_count + 1
where key.hash is not null
order by key.hash
