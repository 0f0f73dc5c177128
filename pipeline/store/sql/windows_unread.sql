-- Part of the newest live stories of [:since, :until) that no champion has read: neither counted nor set apart. What only
-- another model has read waits like the rest.
select coalesce(avg(case when newest.is_read then 0.0 else 1.0 end), 0) as unread
from (
  select exists (
           select from counted_stories as known
           where known.story_id = story.id and (known.live or known.model_version_id = :champion_id)
         ) or exists (
           select from unscored_stories as apart
           where apart.story_id = story.id and apart.decided_at <= :as_of
         ) as is_read
  from stories as story
  where story.available_at >= :since and story.available_at < :until and not story.backfilled
  order by story.available_at desc, story.id desc
  limit :newest
) as newest
