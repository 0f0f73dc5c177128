select labelled_by, count(*) as labels, count(*) filter (where labelled_at >= :today) as today,
       count(*) filter (where labelled_at >= cast(:today as timestamptz) - interval '6 days') as week, max(labelled_at) as last_at
from labels
where retracted_at is null
group by labelled_by
order by labels desc
limit 20
