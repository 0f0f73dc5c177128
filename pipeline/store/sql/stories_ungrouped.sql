select id, source, url_key, title, summary, body, language, first_seen_at, available_at, backfilled
from articles
where story_id is null
order by id
limit :limit
