-- Who labelled how much, week by week (last 8 weeks)?
select date_trunc('week', labelled_at at time zone 'UTC')::date as week, labelled_by, count(*) as labels,
       count(*) filter (where queue_reason = 'random') as random_labels
from analytics.labels
where labelled_at >= now() - interval '8 weeks'
group by week, labelled_by
order by week desc, labels desc;
