-- The story pointed at, or those of the alert that contributed most; never what is kept for evaluation. One row per
-- story: its first article stands for it. A person's hint outranks the model's doubt.
with pointed as (
  select cast(:story_id as bigint) as story_id, 1 as place
  where cast(:story_id as bigint) is not null
  union all
  select cast(told.value ->> 'story_id' as bigint), told.place
  from alerts a
  cross join jsonb_array_elements(a.evidence -> 'stories') with ordinality as told(value, place)
  where a.id = :alert_id and cast(:story_id as bigint) is null and told.place <= :stories
    and jsonb_typeof(told.value -> 'story_id') = 'number'
)
insert into label_queue (article_id, reason, priority, queued_at)
select s.first_article_id, 'alert', :priority - 0.01 * min(p.place), :as_of
from pointed p
join stories s on s.id = p.story_id
where s.first_article_id is not null
  and not exists (select 1 from frozen_articles f where f.article_id = s.first_article_id)
group by s.first_article_id
on conflict (article_id) do update
set reason = 'alert', priority = greatest(label_queue.priority, excluded.priority)
where label_queue.done_at is null
