update feed_states as state set
  status = new.status, error_class = new.error_class, error_message = new.error_message,
  error_count = new.error_count, first_error_at = new.first_error_at, last_attempt_at = new.last_attempt_at,
  last_ok_at = new.last_ok_at, last_new_item_at = new.last_new_item_at, next_due_at = new.next_due_at,
  next_due_reason = new.next_due_reason, etag = new.etag, last_modified = new.last_modified,
  validators_url = new.validators_url, body_hash = decode(new.body_hash, 'hex'), redirect_to = new.redirect_to,
  redirect_seen = new.redirect_seen, redirect_first_at = new.redirect_first_at, previous_urls = new.previous_urls,
  gone_seen = new.gone_seen, gone_first_at = new.gone_first_at, identity_policy = new.identity_policy,
  hints = new.hints, median_gap_s = new.median_gap_s, usual_body_chars = new.usual_body_chars
from jsonb_to_recordset(cast(:states as jsonb)) as new (
  feed_id integer, status text, error_class text, error_message text, error_count integer, first_error_at timestamptz,
  last_attempt_at timestamptz, last_ok_at timestamptz, last_new_item_at timestamptz, next_due_at timestamptz,
  next_due_reason text, etag text, last_modified text, validators_url text, body_hash text, redirect_to text,
  redirect_seen integer, redirect_first_at timestamptz, previous_urls text[], gone_seen integer, gone_first_at timestamptz,
  identity_policy text, hints jsonb, median_gap_s double precision, usual_body_chars double precision
)
where state.feed_id = new.feed_id
