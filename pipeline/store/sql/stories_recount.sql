-- Copies and outlets of the stories that got another article.
update stories as story set copies = counted.copies, sources = counted.sources, last_seen_at = counted.last_seen_at
from (
  select story_id, count(*) as copies, count(distinct source) as sources, max(first_seen_at) as last_seen_at
  from articles where story_id = any(cast(:story_ids as bigint[])) group by story_id
) as counted
where story.id = counted.story_id
