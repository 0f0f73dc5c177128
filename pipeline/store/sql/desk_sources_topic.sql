-- Outlets that told the newest stories of a topic first, with the verdicts.
select article.source, count(*) as stories, count(*) filter (where verdict.sentiment = 'negative') as negative,
       count(*) filter (where verdict.sentiment = 'neutral') as neutral,
       count(*) filter (where verdict.sentiment = 'positive') as positive
from (
  select about.story_id, about.model_version_id
  from score_topics as about
  where about.topic = :key and about.available_at >= :since and about.available_at < :until
    and about.model_version_id = (select model_version_id from champion_periods where ends_at = 'infinity')
  order by about.available_at desc, about.story_id desc
  limit 2000  -- enough to rank outlets by; a topic has twenty thousand stories a month in a large market
) as newest
join scores as verdict using (story_id, model_version_id)
join stories as story on story.id = newest.story_id
join articles as article on article.id = story.first_article_id
group by article.source
order by stories desc
limit 20
