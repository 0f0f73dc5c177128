-- Lets one writer at a time store labels of a person; in order, so that two writers never wait for each other. A file may
-- name thousands of people, and the server's table of locks is small: they share 64.
select pg_advisory_xact_lock(hashtextextended('labels:' || part.number, 0))
from (select distinct hashtext(person) & 63 as number from unnest(cast(:people as text[])) as person order by 1) as part
