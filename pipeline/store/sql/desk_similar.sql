-- Vectors of the newest stories beside the one asked for; the nearest are found outside.
select vector.story_id, vector.vector
from story_vectors as vector
join stories as story on story.id = vector.story_id
where vector.model_version_id = :model_version_id and vector.story_id <> :story_id
  and story.available_at >= cast(:around as timestamptz) - interval '90 days'
order by vector.story_id desc
limit :limit
