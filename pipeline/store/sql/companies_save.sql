-- One company by name; no row comes back when nothing changed.
insert into companies (name, ticker, sector, aliases, negative_contexts, match, origin, added_at)
values (:name, :ticker, :sector, cast(:aliases as text[]), cast(:negative_contexts as text[]), cast(:match as jsonb), :origin, :as_of)
on conflict (name) do update set
  ticker = excluded.ticker, sector = excluded.sector, aliases = excluded.aliases,
  negative_contexts = excluded.negative_contexts, match = excluded.match, origin = excluded.origin, enabled = true
where (companies.ticker, companies.sector, companies.aliases, companies.negative_contexts, companies.match, companies.origin, companies.enabled)
  is distinct from (excluded.ticker, excluded.sector, excluded.aliases, excluded.negative_contexts, excluded.match, excluded.origin, true)
returning (xmax = 0) as added
