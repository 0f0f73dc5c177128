-- One story with the verdict shown on it.
select story.*, article.id as article_id, article.source, article.url, article.author, article.summary, article.corrected,
       article.revision as revisions, verdict.model_version_id, verdict.scored_at, verdict.negative, verdict.neutral,
       verdict.positive, verdict.sentiment, version.version as model_version,
       case when verdict.story_id is null then
         (select unscored.reason from unscored_stories as unscored where unscored.story_id = story.id
          order by unscored.decided_at desc limit 1)
       end as unscored_reason,
       exists (select from frozen_articles as frozen where frozen.article_id = story.first_article_id) as frozen
from stories as story
left join articles as article on article.id = story.first_article_id
left join lateral (
  select score.* from scores as score
  where score.story_id = story.id
  order by score.model_version_id = :champion_id desc, score.scored_at desc
  limit 1
) as verdict on true
left join model_versions as version on version.id = verdict.model_version_id
where story.id = :story_id
