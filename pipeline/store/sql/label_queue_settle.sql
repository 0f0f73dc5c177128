-- A drawn article that was labelled before it was queued needs no second label.
update label_queue as queue set done_at = :as_of
where queue.done_at is null and queue.reason = 'random'
  and exists (select from labels as label where label.article_id = queue.article_id and label.target = 'story'
              and label.retracted_at is null)
