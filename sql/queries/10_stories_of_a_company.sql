-- The newest stories about one company (last 30 days, at most 1,000), with the verdict for that company.
select available_at, title, sentiment, round(score::numeric, 2) as score, round(relevance::numeric, 2) as relevance,
       copies, round(novelty_24h::numeric, 2) as novelty_24h
from analytics.story_companies
where company_id = (select company_id from analytics.series where kind = 'company' order by company_id limit 1)
  and available_at >= now() - interval '30 days'
order by available_at desc
limit 1000;
