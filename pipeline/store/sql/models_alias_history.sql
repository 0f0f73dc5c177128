select e.alias, m.version, e.set_at, e.set_by, e.reason
from model_alias_events e
join model_versions m on m.id = e.model_version_id
where e.alias = :alias
order by e.set_at desc, e.id desc
