-- Story labels beside what the champion says of them.
select label.id as label_id, article.id as article_id, article.story_id, label.sentiment, score.negative, score.neutral,
       score.positive
from labels as label
join articles as article on article.id = label.article_id
join scores as score on score.story_id = article.story_id and score.model_version_id = :model_version_id
where label.retracted_at is null and label.target = 'story'
order by label.id
