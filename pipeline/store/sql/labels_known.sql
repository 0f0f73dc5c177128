-- Labels in force of the same labeller on the same thing.
select wanted.place, label.id, label.sentiment, label.topics, label.labelled_at
from jsonb_to_recordset(cast(:labels as jsonb))
  as wanted (place integer, article_id bigint, target text, company_id integer, labelled_by text)
join labels as label on label.article_id = wanted.article_id and label.target = wanted.target
  and label.company_id is not distinct from wanted.company_id and label.labelled_by = wanted.labelled_by
where label.retracted_at is null
