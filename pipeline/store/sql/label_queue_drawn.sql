-- Labels given for another reason on articles that the random draw hit as well: they count in the unbiased estimate.
update labels as label set queue_reason = 'random'
from label_queue as queue
where queue.article_id = label.article_id and queue.reason = 'random'
  and label.retracted_at is null and label.queue_reason is distinct from 'random'
