-- Places that need no label any more: drawn at random and labelled before they were queued; kept for evaluation; skipped or
-- labelled by somebody and answered by nobody else since the queue looks back: queued_at of a skipped one is the first skip.
-- A person who asked others waits for ever.
update label_queue as queue set done_at = :as_of
from (
  select place.article_id,
         exists (select from frozen_articles as frozen where frozen.article_id = place.article_id) as frozen,
         exists (select from labels as label where label.article_id = place.article_id and label.target = 'story'
                 and label.retracted_at is null) as labelled
  from label_queue as place
  where place.done_at is null
) as known
where queue.article_id = known.article_id and queue.done_at is null
  and (known.frozen
       or (queue.reason = 'random' and known.labelled)
       or (queue.reason <> 'disputed' and queue.queued_at < :since and (known.labelled or queue.skipped_by <> '{}')))
