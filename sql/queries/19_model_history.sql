-- Which model was champion when, who made it so and why?
select version, parent, champion_from_at, champion_until_at, set_by, reason, state
from analytics.model_history
order by coalesce(champion_from_at, created_at) desc;
