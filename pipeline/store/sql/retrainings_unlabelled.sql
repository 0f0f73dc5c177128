-- Texts of articles that had labels and have none in force: kept for evaluation, or taught by a retraining up to `until`.
-- The text as in retrainings_labels.sql.
select read.text,
       exists (select from frozen_articles as kept join articles as member on member.id = kept.article_id
               where member.story_id = article.story_id) as frozen
from articles as article
join stories as story on story.id = article.story_id
cross join lateral (
  select case when story.first_article_id = article.id then story.text
              else rtrim(left(concat_ws(e'\n', state.title, nullif(
                case when length(state.summary) >= 40 or coalesce(state.body, '') = '' then state.summary
                     else left(state.body, 2000) end, '')), 4000), e' \n') end
  from (
    select title, summary, body, revision from article_revisions where article_id = article.id and revision = 1
    union all
    select article.title, article.summary, article.body, 2
    order by revision limit 1
  ) as state
) as read (text)
where article.id in (select article_id from labels where retracted_at is not null and id <= :until
                     union select article_id from frozen_articles)
  and not exists (select from labels as label where label.article_id = article.id and label.retracted_at is null)
order by article.id
