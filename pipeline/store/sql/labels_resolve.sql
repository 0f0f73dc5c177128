-- The articles that files name: by id, by guid (inside a feed if one is given), by url, by title. More than one is told.
with wanted as (
  select * from jsonb_to_recordset(cast(:refs as jsonb))
    as ref (place integer, article_id bigint, guid text, feed text, url text, title text)
), found as (
  select wanted.place, article.id
  from wanted join articles as article on article.id = wanted.article_id
  union all
  select wanted.place, article.id
  from wanted
  join articles as article on article.guid = wanted.guid
  join feeds as feed on feed.id = article.feed_id
  where wanted.article_id is null
    and (wanted.feed is null or feed.name in (wanted.feed, 'import:' || wanted.feed) or article.source = wanted.feed)
  union all
  select wanted.place, article.id
  from wanted join articles as article on article.url = wanted.url
  where wanted.article_id is null and wanted.guid is null
  union all
  select wanted.place, article.id
  from wanted
  join articles as article on article.title = wanted.title
  join feeds as feed on feed.id = article.feed_id
  where wanted.article_id is null and wanted.guid is null and wanted.url is null
    and (wanted.feed is null or feed.name in (wanted.feed, 'import:' || wanted.feed) or article.source = wanted.feed)
)
select place, min(id) as article_id, count(distinct id) as articles
from found group by place order by place
