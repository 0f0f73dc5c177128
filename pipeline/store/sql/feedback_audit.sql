insert into audit_log (at, actor, action, target, detail)
values (:as_of, :given_by, 'feedback:' || :kind, 'alert:' || cast(:alert_id as bigint),
        jsonb_build_object('story_id', cast(:story_id as bigint), 'via', cast(:via as text), 'note', cast(:note as text)))
