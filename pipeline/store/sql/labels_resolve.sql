-- The articles that files name: by id, by guid (inside a feed if one is given), by url, by title. More than one is told.
-- An id is that of one database: it counts only where the guid or url beside it, if there is one, is that article's. One of
-- the two suffices, since spreadsheets take long guids for numbers.
with wanted as (
  select ref.place, ref.guid, ref.feed, ref.url, ref.title,
         case when ref.guid is null and ref.url is null
                or exists (select from articles as article
                           where article.id = ref.article_id and (article.guid = ref.guid or article.url = ref.url))
              then ref.article_id end as article_id
  from jsonb_to_recordset(cast(:refs as jsonb))
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
