-- How often was an alert useful, by kind of series and severity (last 12 months)?
select kind, severity, count(*) as alerts, count(*) filter (where useful + noise > 0) as judged,
       round(sum(useful)::numeric / nullif(sum(useful + noise), 0), 2) as useful_share
from analytics.alerts
where fired_at >= now() - interval '12 months'
group by kind, severity
order by kind, severity;
