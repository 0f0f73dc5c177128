-- The live stories of a series counted in [:start, :end), the negative ones first. How sure the verdict is comes from where
-- the verdict does: the story, the company, or for a sector its worst-hit company, in the order of series_verdicts.
select story.id as story_id, story.title, article.url, coalesce(article.source, '') as source,
       article.feed_id, article.published_at, article.date_status, story.first_seen_at, story.copies, story.sources,
       verdict.sentiment,
       coalesce(
         case verdict.sentiment when 'negative' then company.negative when 'positive' then company.positive
                                else company.neutral end,
         case verdict.sentiment when 'negative' then score.negative when 'positive' then score.positive
                                else score.neutral end) as probability,
       left(coalesce(nullif(article.summary, ''), article.title), 400) as quote,
       feed.added_at as feed_added_at, counted.window_start
from counted_stories as counted
join series_verdicts as verdict using (story_id, model_version_id)
join scores as score using (story_id, model_version_id)
join stories as story on story.id = counted.story_id
left join articles as article on article.id = story.first_article_id
left join feeds as feed on feed.id = article.feed_id
left join series on series.id = verdict.series_id
left join lateral (
  select about.negative, about.neutral, about.positive
  from score_companies as about
  join companies as one on one.id = about.company_id
  where about.story_id = counted.story_id and about.model_version_id = counted.model_version_id
    and (one.id = series.company_id or (series.kind = 'sector' and one.sector = series.key))
  order by about.positive - about.negative, about.company_id
  limit 1
) as company on true
where counted.live and counted.window_start >= :start and counted.window_start < :end
  and verdict.series_id = :series_id
order by (verdict.sentiment = 'negative') desc, 12 desc, story.id
