-- How often is the champion right, on labels asked at random (the unbiased ones)?
select sentiment as people_say, count(*) as labels,
       round(avg(model_agrees::integer), 3) as model_agrees,
       count(*) filter (where model_sentiment = 'negative') as model_negative,
       count(*) filter (where model_sentiment = 'neutral') as model_neutral,
       count(*) filter (where model_sentiment = 'positive') as model_positive
from analytics.labels
where queue_reason = 'random' and target = 'story' and model_agrees is not null
group by sentiment
order by sentiment;
