-- The champion's verdicts beside what people said, counted by tenths of the probability that it stated. Only labels that
-- say something of new stories: given after the version was made (it was not trained on them) or kept for evaluation, and
-- asked at random or for their probability alone; disputed and suspect ones were chosen for being wrong.
select label.sentiment as label, score.sentiment as verdict, least(9, floor(10 * stated.probability))::integer as tenth,
       count(*) as stories, sum(stated.probability)::double precision as stated_sum
from labels as label
join articles as article on article.id = label.article_id
join champion_periods as champion on champion.ends_at = 'infinity'
join model_versions as version on version.id = champion.model_version_id
join scores as score on score.story_id = article.story_id and score.model_version_id = version.id
cross join lateral (select greatest(score.negative, score.neutral, score.positive)) as stated (probability)
where label.target = 'story' and label.retracted_at is null
  and (label.queue_reason is null or label.queue_reason in ('random', 'uncertain'))
  and (label.labelled_at >= version.created_at
       or exists (select from frozen_articles as frozen where frozen.article_id = label.article_id))
group by label.sentiment, score.sentiment, tenth
