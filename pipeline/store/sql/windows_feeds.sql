-- Where the live stories of each series came from in [:start, :end): the first article of each, polled feeds only.
select verdict.series_id, article.feed_id, count(*) as stories
from counted_stories as counted
join series_verdicts as verdict using (story_id, model_version_id)
join stories as story on story.id = counted.story_id
join articles as article on article.id = story.first_article_id
join feeds as feed on feed.id = article.feed_id and feed.origin <> 'import'
where counted.live and counted.window_start >= :start and counted.window_start < :end
group by 1, 2
