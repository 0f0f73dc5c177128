select m.id, m.version, m.path, m.created_at, m.base_model, m.languages, m.state, m.metrics
from model_alias_events e
join model_versions m on m.id = e.model_version_id
where e.alias = :alias and (cast(:as_of as timestamptz) is null or e.set_at <= :as_of)
order by e.set_at desc, e.id desc
limit 1
