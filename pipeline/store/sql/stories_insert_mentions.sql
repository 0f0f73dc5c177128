insert into mentions (article_id, company_id, relevance, in_title, hits, spans)
select article_id, company_id, relevance, in_title, hits, cast(spans as jsonb)
from unnest(cast(:article_id as bigint[]), cast(:company_id as integer[]), cast(:relevance as real[]), cast(:in_title as boolean[]),
  cast(:hits as integer[]), cast(:spans as text[])) as new (article_id, company_id, relevance, in_title, hits, spans)
on conflict do nothing
