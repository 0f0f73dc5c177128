-- Labels drawn at random beside the version's verdict, one per article: what most of its labellers say.
with verdicts as (
  select label.article_id, mode() within group (order by label.sentiment) as sentiment
  from labels as label
  where label.retracted_at is null and label.target = 'story' and label.queue_reason = 'random'
    and label.labelled_at >= :since and label.labelled_at <= :as_of
  group by label.article_id
)
select feed.name as feed,
       coalesce((select topic.topic from score_topics as topic
                 where topic.story_id = article.story_id and topic.model_version_id = score.model_version_id
                 order by topic.probability desc limit 1), 'none') as topic,
       verdicts.sentiment = score.sentiment as is_right
from verdicts
join articles as article on article.id = verdicts.article_id
join feeds as feed on feed.id = article.feed_id
join scores as score on score.story_id = article.story_id and score.model_version_id = :model_version_id
