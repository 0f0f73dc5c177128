-- Stories of the last days but for :own as their first article had them, by id; the text in place of the summary makes the same words.
select story.id, coalesce(article.source, ''), article.url_key, story.title, substr(story.text, length(story.title) + 2), null, story.language,
  story.first_seen_at, story.available_at, story.backfilled
from stories as story
left join articles as article on article.id = story.first_article_id
where story.id > :after and story.id <> all(cast(:own as bigint[])) and story.available_at >= (select max(available_at) from stories) - cast(:window as interval)
order by story.id
limit :limit
