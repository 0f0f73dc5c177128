-- How fast were alerts found and told, and how long before the peak (last 12 months, medians and 90th percentiles, minutes)?
select severity, count(*) as alerts,
       percentile_cont(0.5) within group (order by detection_minutes) as detection_median,
       percentile_cont(0.9) within group (order by detection_minutes) as detection_p90,
       percentile_cont(0.5) within group (order by notice_minutes) as notice_median,
       percentile_cont(0.9) within group (order by notice_minutes) as notice_p90,
       percentile_cont(0.5) within group (order by lead_minutes) as lead_median
from analytics.alerts
where fired_at >= now() - interval '12 months'
group by severity;
