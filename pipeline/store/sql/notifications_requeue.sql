-- attempts stay: a message that was tried may have arrived, and the sender looks before it sends again
update notifications
set state = 'pending', not_before_at = :as_of, first_attempt_at = null
where state = 'failed' and (cast(:receiver as text) is null or receiver = :receiver)
