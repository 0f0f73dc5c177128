-- What is the bad news about a company about (last 30 days)?
select topic.title as topic, count(*) as negative_stories
from analytics.story_companies as about
join analytics.story_topics as topic using (story_id)
where about.company_id = (select company_id from analytics.series where kind = 'company' order by company_id limit 1)
  and about.available_at >= now() - interval '30 days' and about.sentiment = 'negative'
group by topic.title
order by negative_stories desc;
