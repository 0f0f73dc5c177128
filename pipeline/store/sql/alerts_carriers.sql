-- How many of these stories are negative for each other series.
select series.id as series_id, series.kind, series.key, series.title, count(*) as negative
from series_verdicts as verdict
join series on series.id = verdict.series_id
join counted_stories as counted using (story_id, model_version_id)
where verdict.story_id = any(:story_ids) and counted.live and verdict.sentiment = 'negative'
  and series.id <> :series_id
group by series.id
order by 5 desc, array_position(array['company', 'sector', 'topic', 'all'], series.kind), series.title
