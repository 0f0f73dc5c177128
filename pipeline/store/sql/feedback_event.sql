insert into alert_events (alert_id, at, kind, severity, actor, detail)
select id, :as_of, 'feedback', severity, :given_by,
       jsonb_build_object('said', cast(:kind as text), 'story_id', cast(:story_id as bigint), 'via', cast(:via as text))
from alerts
where id = :alert_id
