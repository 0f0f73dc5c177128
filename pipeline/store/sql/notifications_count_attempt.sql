update notifications
set attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, :as_of), last_attempt_at = :as_of, error = null
where id = :id
