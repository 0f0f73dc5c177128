-- New places in the queue. Asked before for another reason and now drawn at random: it becomes random, also where it is
-- labelled already, since the draw did not look at that. Disputed and suspect ones come back although they were done.
insert into label_queue (article_id, reason, priority, queued_at)
select item.article_id, item.reason, item.priority, :as_of
from jsonb_to_recordset(cast(:items as jsonb)) as item (article_id bigint, reason text, priority double precision)
where not exists (select from frozen_articles as kept where kept.article_id = item.article_id)
on conflict (article_id) do update
set reason = excluded.reason,
    priority = greatest(label_queue.priority, excluded.priority),
    queued_at = excluded.queued_at,
    undisputed = null,
    done_at = case when excluded.reason = 'random' then label_queue.done_at end
where excluded.reason = 'random'
   or (excluded.reason in ('disputed', 'suspect') and label_queue.done_at is not null)
