select article.id, article.source, article.title, article.url, article.event_at, article.first_seen_at, article.story_match,
       article.revision, article.corrected, feed.name as feed
from articles as article
join feeds as feed on feed.id = article.feed_id
where article.story_id = :story_id
order by article.first_seen_at, article.id
limit 200
