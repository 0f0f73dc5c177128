-- The live stories of a series counted in [:start, :end), the negative ones first. How sure the verdict is comes from where
-- the verdict does: the company, or where there is none the story.
select story.id as story_id, story.title, article.url, coalesce(article.source, '') as source,
       article.feed_id, article.published_at, article.date_status, story.first_seen_at, story.copies, story.sources,
       verdict.sentiment,
       coalesce(
         case verdict.sentiment when 'negative' then company.negative when 'positive' then company.positive
                                else company.neutral end,
         case verdict.sentiment when 'negative' then score.negative when 'positive' then score.positive
                                else score.neutral end) as probability,
       left(coalesce(nullif(article.summary, ''), article.title), 400) as quote,
       feed.added_at as feed_added_at, told.window_start
from counted_stories as told
join series_verdicts as verdict using (story_id, model_version_id)
join scores as score using (story_id, model_version_id)
join stories as story on story.id = told.story_id
left join articles as article on article.id = story.first_article_id
left join feeds as feed on feed.id = article.feed_id
left join series on series.id = verdict.series_id
left join score_companies as company
  on company.story_id = told.story_id and company.model_version_id = told.model_version_id
  and company.company_id = {{series_company}}
where told.live and told.window_start >= :start and told.window_start < :end
  and verdict.series_id = :series_id
order by (verdict.sentiment = 'negative') desc, 12 desc, story.id
