-- Every article of the batch gets its story.
update articles as a set story_id = new.story_id, story_match = new.road
from unnest(cast(:article_id as bigint[]), cast(:story_id as bigint[]), cast(:road as text[])) as new (article_id, story_id, road)
where a.id = new.article_id
