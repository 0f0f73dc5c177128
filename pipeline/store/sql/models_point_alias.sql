insert into model_alias_events (alias, model_version_id, set_at, set_by, reason)
select :alias, id, :set_at, :set_by, :reason from model_versions where version = :version
