select article.source, count(*) as stories, count(*) filter (where about.sentiment = 'negative') as negative,
       count(*) filter (where about.sentiment = 'neutral') as neutral,
       count(*) filter (where about.sentiment = 'positive') as positive
from score_companies as about
join champion_periods as champion on champion.model_version_id = about.model_version_id and champion.ends_at = 'infinity'
join stories as story on story.id = about.story_id and story.available_at >= :since and story.available_at < :until
join articles as article on article.id = story.first_article_id
where about.company_id = :key
group by article.source
order by stories desc
limit 20
