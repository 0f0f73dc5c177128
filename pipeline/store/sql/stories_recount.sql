-- Copies and outlets of the stories that got another article.
update stories as story set copies = counted.copies, sources = counted.sources, last_seen_at = counted.last_seen_at
from unnest(cast(:story_ids as bigint[])) as grown (id)
cross join lateral (
  select count(*) as copies, count(distinct source) as sources, max(first_seen_at) as last_seen_at
  from articles where story_id = grown.id offset 0
) as counted
where story.id = grown.id
