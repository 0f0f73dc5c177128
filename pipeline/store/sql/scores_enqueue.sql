-- A re-score: every story since a time that this version has neither scored nor set apart.
insert into score_queue (story_id, model_version_id, available_at)
select s.id, :model_version_id, s.available_at
from stories s
where s.available_at >= :since
  and not exists (select from scores c where c.story_id = s.id and c.model_version_id = :model_version_id)
  and not exists (select from unscored_stories u where u.story_id = s.id and u.model_version_id = :model_version_id)
on conflict do nothing
