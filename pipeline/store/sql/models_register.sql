insert into model_versions (version, path, created_at, parent_id, base_model, languages, manifest, metrics)
values (
  :version, :path, :created_at, (select id from model_versions where version = :parent),
  :base_model, :languages, cast(:manifest as jsonb), cast(:metrics as jsonb)
)
on conflict (version) do update set path = excluded.path
