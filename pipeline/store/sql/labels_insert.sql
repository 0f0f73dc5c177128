-- New labels; the queue's reason is noted where the file does not say one.
insert into labels (article_id, company_id, target, sentiment, topics, labelled_by, labelled_at, origin, schema_version,
                    queue_reason, confidence, note)
select label.article_id, label.company_id, label.target, label.sentiment, label.topics, label.labelled_by, label.labelled_at,
       label.origin, label.schema_version,
       coalesce(label.queue_reason, (select queue.reason from label_queue as queue where queue.article_id = label.article_id)),
       label.confidence, label.note
from jsonb_to_recordset(cast(:labels as jsonb))
  as label (article_id bigint, company_id integer, target text, sentiment text, topics text[], labelled_by text,
            labelled_at timestamptz, origin text, schema_version integer, queue_reason text, confidence real, note text)
on conflict do nothing
