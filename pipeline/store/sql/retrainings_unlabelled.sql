-- Texts of articles that had labels and have none in force: kept for evaluation, or taught by a retraining up to `until`.
select read.text,
       exists (select from frozen_articles as kept join articles as member on member.id = kept.article_id
               where member.story_id = article.story_id) as frozen
from articles as article
join stories as story on story.id = article.story_id
cross join lateral (
  {{article_read_text}}
) as read (text)
where article.id in (select article_id from labels where retracted_at is not null and id <= :until
                     union select article_id from frozen_articles)
  and not exists (select from labels as label where label.article_id = article.id and label.retracted_at is null)
order by article.id
