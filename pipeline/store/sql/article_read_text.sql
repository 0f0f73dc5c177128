-- The text that was read of `article`, of `story`: that of its story, or, of a copy, what grouping read and cut its spans
-- from: its first state, as story_text in pipeline/ingest/articles.py puts it together. A part of other statements.
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
