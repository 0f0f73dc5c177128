-- Which model gave the verdicts on each of the last 14 days, at noon UTC?
select noon, analytics.champion_at(noon) as champion
from generate_series(date_trunc('day', now(), 'UTC') - interval '324 hours', now(), interval '24 hours') as noon;
