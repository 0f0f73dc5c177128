insert into message_threads (alert_id, receiver, external_id)
values (:alert_id, :receiver, :external_id)
on conflict (alert_id, receiver) do nothing
