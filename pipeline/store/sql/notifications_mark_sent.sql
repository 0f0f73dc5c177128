update notifications
set state = 'sent', sent_at = :as_of, external_id = :external_id, error = :note
where (id = :id or told_with_id = :id) and state = 'pending'
