-- What waits for a verdict now, and which recent stories will get none?
select 'waiting: ' || model_version as what, stories, oldest_at as since from analytics.waiting_stories
union all
select 'not scored: ' || unscored_reason, count(*), min(available_at)
from analytics.scored_stories
where available_at >= now() - interval '24 hours' and unscored_reason is not null
group by unscored_reason;
