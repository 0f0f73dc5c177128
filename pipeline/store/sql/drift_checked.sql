-- Labels drawn at random beside the version's verdict, one per article: what more than half of its labellers say; what
-- they dispute says nothing of the version.
with said as (
  select label.article_id, label.sentiment, count(*) as votes,
         sum(count(*)) over (partition by label.article_id) as all_votes
  from labels as label
  where label.retracted_at is null and label.target = 'story' and label.queue_reason = 'random'
    and label.labelled_at >= :since and label.labelled_at <= :as_of
  group by label.article_id, label.sentiment
), verdicts as (
  select article_id, sentiment from said where 2 * votes > all_votes
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
