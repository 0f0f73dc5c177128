-- Which companies are in the news together (last 3 days)?
select one.company, other.company as with_company, count(*) as stories,
       round(avg(one.score)::numeric, 2) as score, round(avg(other.score)::numeric, 2) as with_score
from analytics.story_companies as one
join analytics.story_companies as other using (story_id)
where one.company_id < other.company_id
  and one.available_at >= now() - interval '3 days' and other.available_at >= now() - interval '3 days'
group by one.company, other.company
order by stories desc
limit 20;
