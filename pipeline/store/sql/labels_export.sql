-- Labels in force with their articles, or (queue) the articles that wait to be labelled, in the order to ask for them.
-- Text and spans as in retrainings_labels.sql.
select article.id as article_id, feed.name as feed, article.guid, article.url, article.title,
       read.text,
       coalesce((select jsonb_agg(jsonb_build_array(named.name, kept.spans) order by named.name)
                 from mentions as mention join companies as named on named.id = mention.company_id
                 cross join lateral (
                   select jsonb_agg(span order by place) as spans
                   from jsonb_array_elements(mention.spans) with ordinality as found (span, place)
                   cross join lateral (
                     select substr(read.text, (span ->> 0)::integer + 1, (span ->> 1)::integer - (span ->> 0)::integer)
                   ) as cut (name)
                   where story.first_article_id = article.id
                      or lower(cut.name) in (select lower(word) from unnest(named.aliases || named.name) as word)
                      or cut.name ~ '[$(:]' and strpos(cut.name, named.ticker) > 0
                 ) as kept
                 where mention.article_id = article.id and kept.spans is not null), '[]') as mentions,
       label.target, company.name as company, label.sentiment, label.topics, coalesce(label.labelled_by, '') as labelled_by,
       label.labelled_at, coalesce(label.origin, '') as origin, label.confidence,
       coalesce(label.queue_reason, queue.reason) as queue_reason, coalesce(label.schema_version, 0) as schema_version,
       coalesce(label.note, '') as note
from articles as article
join feeds as feed on feed.id = article.feed_id
left join stories as story on story.id = article.story_id
left join labels as label on label.article_id = article.id and label.retracted_at is null and not :queue
left join companies as company on company.id = label.company_id
left join label_queue as queue on queue.article_id = article.id and queue.done_at is null and :queue
cross join lateral (
  select case when story.first_article_id = article.id then story.text
              else rtrim(left(concat_ws(e'\n', state.title, nullif(
                case when length(state.summary) >= 40 or coalesce(state.body, '') = '' then state.summary
                     else left(state.body, 2000) end, '')), 4000), e' \n') end
  from (
    select title, summary, body, revision from article_revisions where article_id = article.id and revision = 1
    union all
    select article.title, article.summary, article.body, 2
    order by revision limit 1
  ) as state
) as read (text)
where case when :queue then queue.article_id is not null else label.id is not null end
  and (cast(:labelled_by as text) is null or label.labelled_by = :labelled_by)
  and (cast(:since as timestamptz) is null or label.labelled_at >= :since)
order by queue.priority desc nulls last, label.labelled_at, label.id, article.id
