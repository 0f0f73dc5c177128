select about.company_id, company.name, company.ticker, series.id as series_id, about.sentiment, about.negative, about.neutral,
       about.positive, mention.relevance, mention.spans, novelty.novelty_24h
from score_companies as about
join companies as company on company.id = about.company_id
left join series on series.company_id = about.company_id
join stories as story on story.id = about.story_id
left join mentions as mention on mention.article_id = story.first_article_id and mention.company_id = about.company_id
left join story_novelties as novelty on novelty.story_id = about.story_id and novelty.company_id = about.company_id
where about.story_id = :story_id and about.model_version_id = :model_version_id
order by mention.relevance desc nulls last, company.name
