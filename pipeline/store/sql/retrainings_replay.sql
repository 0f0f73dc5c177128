-- What one model version says of the stories that both versions have read, per series and quarter of an hour of arrival:
-- live ones, and all with the backfilled ones, which count in baselines only.
select verdict.series_id, date_bin('15 minutes', story.available_at, 'epoch') as at,
       count(*) filter (where verdict.sentiment = 'negative' and not story.backfilled) as negative,
       count(*) filter (where verdict.sentiment <> 'negative' and not story.backfilled) as other,
       count(*) filter (where verdict.sentiment = 'negative') as negative_all,
       count(*) filter (where verdict.sentiment <> 'negative') as other_all
from stories as story
join series_verdicts as verdict on verdict.story_id = story.id and verdict.model_version_id = :model_version_id
where story.available_at >= :start and story.available_at < :end
  and exists (select from scores as other where other.story_id = story.id and other.model_version_id = :other_id)
group by 1, 2
order by 2, 1
