-- Further articles of live stories that are negative for a series, each in one window [:start, :end): that in which it
-- arrived, or that in which its story counts where this is later (the score came when its window was closed).
with told as (
  select counted.story_id, counted.model_version_id
  from articles as article
  join counted_stories as counted on counted.story_id = article.story_id
  where article.available_at >= :start and article.available_at < :end
    and counted.live and counted.window_start < :start
    and not article.backfilled and article.story_match <> 'first'
  union all
  select counted.story_id, counted.model_version_id
  from counted_stories as counted
  join articles as article on article.story_id = counted.story_id
  where counted.live and counted.window_start = :start
    and article.available_at < :end and not article.backfilled and article.story_match <> 'first'
)
insert into windows (series_id, model_version_id, window_start, copies)
select verdict.series_id, told.model_version_id, :start, count(*)
from told
join series_verdicts as verdict using (story_id, model_version_id)
where verdict.sentiment = 'negative'
group by 1, 2
order by 1, 2
on conflict (series_id, model_version_id, window_start) do update set copies = excluded.copies
