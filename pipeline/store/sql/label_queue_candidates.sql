-- Stories that may be asked for: read by the champion, in the period. `point` is a fixed random number of the story.
with alerted as (
  select distinct cast(told.value ->> 'story_id' as bigint) as story_id
  from alerts as alert
  cross join jsonb_array_elements(alert.evidence -> 'stories') as told (value)
  where alert.fired_at >= :since and not alert.is_test and jsonb_typeof(told.value -> 'story_id') = 'number'
), drifted as (
  select distinct on (report.subject) report.subject, report.effect
  from drift_reports as report
  where report.kind in ('input', 'output') and report.as_of >= :since
  order by report.subject, report.as_of desc, report.effect desc
)
select story.id as story_id, story.first_article_id as article_id, score.negative, score.neutral, score.positive,
       ('x' || substr(md5(:salt || story.id), 1, 8))::bit(32)::bigint / 4294967296.0::double precision as point,
       alerted.story_id is not null as alert,
       exists (select from frozen_articles as kept join articles as member on member.id = kept.article_id
               where member.story_id = story.id) as frozen,
       exists (select from label_queue as queue join articles as member on member.id = queue.article_id
               where member.story_id = story.id)
       or exists (select from labels as label join articles as member on member.id = label.article_id
                  where member.story_id = story.id and label.retracted_at is null) as asked,
       exists (select from label_queue as queue join articles as member on member.id = queue.article_id
               where member.story_id = story.id and queue.reason = 'random') as drawn,
       coalesce(greatest(
         (select drifted.effect from drifted join feeds as feed on drifted.subject = 'feed:' || feed.name
          where feed.id = article.feed_id),
         (select max(drifted.effect) from score_topics as topic
          join drifted on drifted.subject = 'topic:' || topic.topic
          where topic.story_id = story.id and topic.model_version_id = score.model_version_id)), 0) as drift
from stories as story
join articles as article on article.id = story.first_article_id
join scores as score on score.story_id = story.id and score.model_version_id = :model_version_id
left join alerted on alerted.story_id = story.id
where story.available_at >= :since and story.available_at <= :as_of
order by story.available_at desc
limit :limit
