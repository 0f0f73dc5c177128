-- A pause is a person's, the rest of the row is the list's: kept in `enabled`, it lasted until the next run read feeds.toml.

alter table feeds add column paused_at timestamptz;
comment on column feeds.paused_at is 'When a person paused its polling at the desk, UTC; null: not paused. feeds.toml never changes it.';
comment on column feeds.enabled is 'False: switched off in feeds.toml, not polled.';

-- A feed that is in no list can have been switched off at the desk only.
update feeds set enabled = true, paused_at = coalesce(
    (select max(log.at) from audit_log as log where log.action = 'pause feed' and log.target = feeds.id::text), now())
where origin = 'desk' and not enabled;
