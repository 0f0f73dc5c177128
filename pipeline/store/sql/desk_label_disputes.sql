select label.article_id, article.title, article.story_id,
       jsonb_object_agg(label.labelled_by, label.sentiment) as verdicts, max(label.labelled_at) as last_at
from labels as label
join articles as article on article.id = label.article_id
where label.target = 'story' and label.retracted_at is null
group by label.article_id, article.title, article.story_id
having count(distinct label.sentiment) > 1
order by last_at desc
limit :limit
