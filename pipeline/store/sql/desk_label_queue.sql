-- The next articles to label for one person: not skipped by them, not labelled by them, never a frozen one. With the title as
-- first seen, which is what is read and taught.
select queue.article_id, queue.reason, story.title, story.text, story.id as story_id, article.source, article.url,
       article.event_at, verdict.sentiment as model_sentiment,
       coalesce((select jsonb_agg(jsonb_build_object('id', company.id, 'name', company.name, 'spans', mention.spans)
                                  order by mention.relevance desc, company.name)
                 from mentions as mention join companies as company on company.id = mention.company_id
                 where mention.article_id = queue.article_id), '[]') as companies
from label_queue as queue
join articles as article on article.id = queue.article_id
join stories as story on story.id = article.story_id
left join scores as verdict on verdict.story_id = story.id and verdict.model_version_id = :champion_id
where queue.done_at is null and not (:who = any(queue.skipped_by))
  and not exists (select from frozen_articles as frozen where frozen.article_id = queue.article_id)
  and not exists (select from labels as mine where mine.article_id = queue.article_id and mine.target = 'story'
                  and mine.labelled_by = :who and mine.retracted_at is null)
  and (cast(:company_id as integer) is null or exists (
        select from mentions as about where about.article_id = queue.article_id and about.company_id = :company_id))
  and not (queue.article_id = any(:shown))
order by queue.priority desc, queue.article_id
limit :limit
