-- Counts every scored story that was not counted yet, in the one window it counts in. A story is live once, by the
-- champion, whoever else has read it: in the window of its arrival, or in the first one that is still open. What was
-- published or scored more than 6 h before is history: it counts when it was published, in baselines only. What another
-- model read waits until the story is live or too old for it: that model may become champion first.
with closed as (
  select coalesce(max(tick_at), '-infinity') as until from ticks
), fresh as (
  select score.story_id, score.model_version_id,
         story.available_at, coalesce(article.event_at, story.available_at) as event_at,
         not story.backfilled
           and story.available_at >= closed.until - interval '6 hours'
           and not exists (
             select from counted_stories as known where known.story_id = score.story_id and known.live
           ) as may_be_live,
         story.backfilled, closed.until
  from scores as score
  join stories as story on story.id = score.story_id
  left join articles as article on article.id = story.first_article_id
  cross join closed
  where (cast(:since as timestamptz) is null or score.scored_at >= :since)
    and score.scored_at <= :as_of
    and not exists (
      select from counted_stories as known
      where known.story_id = score.story_id and known.model_version_id = score.model_version_id
    )
), judged as (
  select *, may_be_live and model_version_id = :champion_id as live,
         may_be_live and not bool_or(model_version_id = :champion_id) over (partition by story_id) as waits
  from fresh
), placed as (
  select story_id, model_version_id, live,
         date_bin('15 minutes',
                  case when live then greatest(available_at, until)
                       when backfilled then least(event_at, available_at)
                       else available_at end, 'epoch') as window_start
  from judged
  where not waits
), counted as (
  insert into counted_stories (story_id, model_version_id, window_start, counted_at, live)
  select story_id, model_version_id, window_start, :as_of, live from placed
  order by story_id, model_version_id
  on conflict do nothing
  returning story_id, model_version_id, window_start, live
), added as (
  insert into windows (series_id, model_version_id, window_start, negative, other, negative_history, other_history)
  select verdict.series_id, counted.model_version_id, counted.window_start,
         count(*) filter (where counted.live and verdict.sentiment = 'negative'),
         count(*) filter (where counted.live and verdict.sentiment <> 'negative'),
         count(*) filter (where not counted.live and verdict.sentiment = 'negative'),
         count(*) filter (where not counted.live and verdict.sentiment <> 'negative')
  from counted
  join series_verdicts as verdict using (story_id, model_version_id)
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict (series_id, model_version_id, window_start) do update set
    negative = windows.negative + excluded.negative,
    other = windows.other + excluded.other,
    negative_history = windows.negative_history + excluded.negative_history,
    other_history = windows.other_history + excluded.other_history
  returning 1
)
select (select count(*) filter (where live) from counted) as live,
       (select count(*) filter (where not live) from counted) as history,
       (select min(window_start) filter (where live) from counted) as first_live,
       (select count(*) from added) as windows
