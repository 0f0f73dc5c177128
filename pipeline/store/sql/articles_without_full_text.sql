-- New articles of feeds that are marked full_text and whose page was not asked for yet.
select a.id, a.url
from articles as a
join feeds as feed on feed.id = a.feed_id
where a.story_id is null and a.url is not null and a.body is null and not a.backfilled
  and feed.full_text and feed.may_store_body
  and not a.flags && array['full_text', 'robots_unknown', 'robots_forbid', 'page_failed', 'page_unreadable', 'page_empty']
order by a.id
limit :limit
