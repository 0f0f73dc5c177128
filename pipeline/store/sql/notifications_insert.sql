insert into notifications
  (alert_id, alert_event_id, receiver, kind, idempotency_key, payload, created_at, not_before_at)
values
  (:alert_id, :alert_event_id, :receiver, :kind, :idempotency_key, cast(:payload as jsonb), :created_at, :not_before_at)
on conflict (idempotency_key) do nothing
