-- Which of these stories are negative for which of these series, the series with most of them first.
select distinct verdict.series_id, verdict.story_id,
       count(*) over (partition by verdict.series_id) as number
from series_verdicts as verdict
join counted_stories as counted using (story_id, model_version_id)
where verdict.story_id = any(:story_ids) and verdict.series_id = any(:series_ids)
  and counted.live and verdict.sentiment = 'negative'
order by number desc, verdict.series_id, verdict.story_id
