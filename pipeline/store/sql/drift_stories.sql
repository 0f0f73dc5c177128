-- Stories of a period as the model version read them; at most :limit, chosen by a fixed random number.
select feed.name as feed, array_length(regexp_split_to_array(story.text, '\s+'), 1) as words,
       100.0 * length(regexp_replace(story.text, '[^0-9]', '', 'g')) / greatest(length(story.text), 1) as digits,
       coalesce((select topic.topic from score_topics as topic
                 where topic.story_id = story.id and topic.model_version_id = score.model_version_id
                 order by topic.probability desc limit 1), 'none') as topic,
       score.sentiment, greatest(score.negative, score.neutral, score.positive)::double precision as confidence
from stories as story
join articles as article on article.id = story.first_article_id
join feeds as feed on feed.id = article.feed_id
join scores as score on score.story_id = story.id and score.model_version_id = :model_version_id
where story.available_at >= :start and story.available_at < :end
order by md5('drift:' || story.id)
limit :limit
