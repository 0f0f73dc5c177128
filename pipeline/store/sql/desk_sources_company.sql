-- Outlets that told the newest stories of a company first, with the verdicts for it.
select article.source, count(*) as stories, count(*) filter (where newest.sentiment = 'negative') as negative,
       count(*) filter (where newest.sentiment = 'neutral') as neutral,
       count(*) filter (where newest.sentiment = 'positive') as positive
from (
  select about.story_id, about.sentiment
  from score_companies as about
  where about.company_id = :key and about.available_at >= :since and about.available_at < :until
    and about.model_version_id = (select model_version_id from champion_periods where ends_at = 'infinity')
  order by about.available_at desc, about.story_id desc
  limit 2000
) as newest
join stories as story on story.id = newest.story_id
join articles as article on article.id = story.first_article_id
group by article.source
order by stories desc
limit 20
