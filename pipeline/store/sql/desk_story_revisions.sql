select revision.article_id, article.source, revision.revision, revision.seen_at, revision.title, revision.summary,
       revision.is_correction
from article_revisions as revision
join articles as article on article.id = revision.article_id
where article.story_id = :story_id and article.revision > 1
order by revision.article_id, revision.revision
limit 50
