-- Share locks: silences_ended passes over a silence while a tick is judged under it, and tells what the tick held back too.
select series_kind, series_key, starts_at, ends_at
from silences
where cancelled_at is null and starts_at <= :at and ends_at > :at and expiry_told_at is null
order by id
for share
