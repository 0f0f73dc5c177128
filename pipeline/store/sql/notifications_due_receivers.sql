-- Those that waited longest first.
select receiver
from notifications
where state = 'pending' and told_with_id is null and not_before_at <= :as_of
group by receiver
order by min(not_before_at), receiver
