-- What is said of a story in a company's alert is about that company.
insert into feedback (alert_id, story_id, company_id, kind, given_by, given_at, via, token_id, note)
select a.id, :story_id,
       coalesce(cast(:company_id as integer), case when cast(:story_id as bigint) is not null then s.company_id end),
       :kind, :given_by, :as_of, :via, :token_id, :note
from alerts a
join series s on s.id = a.series_id
where a.id = :alert_id
on conflict (token_id) do nothing
