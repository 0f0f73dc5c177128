-- Open places that whoever comes is shown (desk_label_queue.sql): one that somebody skipped or labelled waits for others
-- only, and where there are no others nobody ever takes it off the queue.
select count(*)
from label_queue as queue
where queue.done_at is null and queue.skipped_by = '{}'
  and not exists (select from frozen_articles as frozen where frozen.article_id = queue.article_id)
  and not exists (select from labels as label where label.article_id = queue.article_id and label.target = 'story'
                  and label.retracted_at is null)
