-- Which companies' sentiment moves like that of one company (daily, last 90 days)?
with days as (
  select series_id, title, start_at, sentiment_index
  from analytics.sentiment_daily
  where kind = 'company' and start_at >= now() - interval '90 days'
), one as (
  select * from days where series_id = (select series_id from analytics.series where kind = 'company' order by series_id limit 1)
)
select days.title, count(*) as days, round(corr(days.sentiment_index, one.sentiment_index)::numeric, 2) as correlation
from days
join one using (start_at)
where days.series_id <> one.series_id
group by days.title
having count(*) >= 20
order by correlation desc nulls last
limit 20;
