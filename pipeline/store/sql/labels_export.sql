-- Labels in force with their articles, or (queue) the articles that wait to be labelled, in the order to ask for them.
select article.id as article_id, feed.name as feed, article.guid, article.url, article.title,
       read.text,
       {{article_read_mentions}} as mentions,
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
  {{article_read_text}}
) as read (text)
where case when :queue then queue.article_id is not null else label.id is not null end
  and (cast(:labelled_by as text) is null or label.labelled_by = :labelled_by)
  and (cast(:since as timestamptz) is null or label.labelled_at >= :since)
order by queue.priority desc nulls last, label.labelled_at, label.id, article.id
