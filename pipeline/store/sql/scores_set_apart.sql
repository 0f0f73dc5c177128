insert into unscored_stories (story_id, model_version_id, reason, detail, decided_at)
select r.story_id, :model_version_id, r.reason, r.detail, :decided_at
from jsonb_to_recordset(cast(:rows as jsonb)) as r (story_id bigint, reason text, detail text)
order by r.story_id  -- as in scores_write.sql
on conflict do nothing
