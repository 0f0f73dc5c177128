-- Not sent: never tried, or every try came back with an error. One that a sender claimed a moment ago has neither.
select id
from notifications
where alert_id = :alert_id and kind = 'resolve' and state = 'pending' and (attempts = 0 or error is not null)
order by id
for update
