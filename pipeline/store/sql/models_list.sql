select id, version, path, created_at, base_model, languages, state, metrics
from model_versions
where cast(:version as text) is null or version = :version
order by created_at desc, id desc
