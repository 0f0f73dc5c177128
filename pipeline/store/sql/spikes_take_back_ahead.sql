-- Ticks more than an hour ahead of :as_of and of the database's clock, with what they found.
with later as (
  select tick_at from ticks where tick_at > greatest(cast(:as_of as timestamptz), clock_timestamp()) + interval '1 hour'
), evaluated as (
  delete from evaluations where tick_at in (select tick_at from later)
), found as (
  delete from spikes where tick_at in (select tick_at from later)
)
delete from ticks where tick_at in (select tick_at from later)
