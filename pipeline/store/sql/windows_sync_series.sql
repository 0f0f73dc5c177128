-- Everything, the topics, the companies that are watched and their sectors; what is there keeps its key.
insert into series (kind, key, title, company_id, created_at)
select wanted.kind, wanted.key, wanted.title, wanted.company_id, :as_of
from (
  select 'all' as kind, 'all' as key, 'Everything' as title, null::integer as company_id, 0 as place
  union all
  select 'topic', t.key, t.title, null, 1
  from unnest(cast(:topic_keys as text[]), cast(:topic_titles as text[])) as t (key, title)
  union all
  select 'company', name, name, id, 2 from companies where enabled
  union all
  select distinct 'sector', sector, sector, null::integer, 3 from companies where enabled and sector is not null
) as wanted
where not exists (select from series where series.kind = wanted.kind and series.key = wanted.key)
order by wanted.place, wanted.key
on conflict do nothing
