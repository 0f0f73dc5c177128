-- Which articles were corrected, and what did they say before (last 3 days)?
-- Corrections come late: articles of 30 days are looked at.
select article.source, before.title as was, after.title as is_now, after.seen_at - before.seen_at as after_how_long
from analytics.articles as article
join analytics.article_revisions as after on after.article_id = article.article_id and after.is_correction
join analytics.article_revisions as before on before.article_id = article.article_id and before.revision = after.revision - 1
where article.available_at >= now() - interval '30 days' and article.corrected
  and after.seen_at >= now() - interval '3 days'
order by after.seen_at desc;
