-- Further articles that arrived in [:start, :end) for live stories that are negative for a series.
insert into windows (series_id, model_version_id, window_start, copies)
select verdict.series_id, counted.model_version_id, :start, count(*)
from articles as article
join counted_stories as counted on counted.story_id = article.story_id and counted.live
join series_verdicts as verdict
  on verdict.story_id = counted.story_id and verdict.model_version_id = counted.model_version_id
where article.available_at >= :start and article.available_at < :end
  and not article.backfilled and article.story_match <> 'first' and verdict.sentiment = 'negative'
group by 1, 2
order by 1, 2
on conflict (series_id, model_version_id, window_start) do update set copies = excluded.copies
