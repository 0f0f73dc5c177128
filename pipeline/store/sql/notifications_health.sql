select receiver,
       count(*) filter (where state = 'pending') as pending,
       count(*) filter (where state = 'sent' and sent_at >= :since) as sent,
       count(*) filter (where state = 'failed' and created_at >= :since) as failed,
       max(sent_at) as last_sent_at,
       (array_agg(error order by last_attempt_at desc) filter (where error is not null and state <> 'sent'))[1] as last_error
from notifications
group by receiver
order by receiver
