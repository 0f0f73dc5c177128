-- Which of these stories are negative for which of these series, and when they counted.
select verdict.series_id, verdict.story_id, counted.window_start
from series_verdicts as verdict
join counted_stories as counted using (story_id, model_version_id)
where verdict.story_id = any(:story_ids) and verdict.series_id = any(:series_ids)
  and counted.live and verdict.sentiment = 'negative'
