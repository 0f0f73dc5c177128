-- What is the bad news about a company about (last 30 days)?
select topic, count(*) as negative_stories
from analytics.story_companies as about
join analytics.scored_stories as story using (story_id)
cross join unnest(story.topics) as topic
where about.company_id = (select company_id from analytics.series where kind = 'company' order by company_id limit 1)
  and about.available_at >= now() - interval '30 days' and about.sentiment = 'negative'
group by topic
order by negative_stories desc;
