-- Verdicts in force; with :shared only on things that several people labelled.
select label.article_id, label.target, label.company_id, label.labelled_by, label.labelled_at,
       coalesce(label.sentiment, array_to_string(label.topics, ',')) as verdict
from labels as label
where label.retracted_at is null
  and (not :shared or exists (
    select from labels as other
    where other.article_id = label.article_id and other.target = label.target
      and other.company_id is not distinct from label.company_id
      and other.labelled_by <> label.labelled_by and other.retracted_at is null))
order by label.article_id, label.target, label.company_id, label.labelled_by
