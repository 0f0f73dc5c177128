insert into story_novelties (story_id, company_id, novelty_12h, novelty_24h, novelty_3d, novelty_5d, novelty_7d)
select * from unnest(cast(:story_id as bigint[]), cast(:company_id as integer[]), cast(:n0 as real[]), cast(:n1 as real[]),
  cast(:n2 as real[]), cast(:n3 as real[]), cast(:n4 as real[]))
on conflict do nothing
