-- Stories, newest first, one page after a cursor; every filter is optional. With as_of: only what was seen by then, and the
-- verdict that counted then, as in analytics.sentiment_asof: of those written by then, that of the newest champion of then.
-- What it reads from is put in by the caller: desk_stories_of_all, _company or _topic, the index that the page is read along;
-- these know the rows of every version, and those of the verdict's own decide.
select story.id, story.title, story.available_at, story.first_seen_at, story.copies, story.sources, story.backfilled,
       article.source, article.url, article.corrected,
       verdict.sentiment, verdict.negative, verdict.neutral, verdict.positive, verdict.scored_at,
       (select jsonb_agg(jsonb_build_object('id', about.company_id, 'name', company.name, 'sentiment', about.sentiment)
                         order by company.name)
        from score_companies as about join companies as company on company.id = about.company_id
        where about.story_id = story.id and about.model_version_id = verdict.model_version_id) as companies,
       (select array_agg(topic.topic order by topic.probability desc) from score_topics as topic
        where topic.story_id = story.id and topic.model_version_id = verdict.model_version_id) as topics
from stories_chosen as chosen
join stories as story on story.id = chosen.story_id
left join articles as article on article.id = story.first_article_id
left join lateral (
  select score.* from scores as score
  where score.story_id = story.id
    and (cast(:as_of as timestamptz) is null
         or (score.scored_at <= :as_of and score.model_version_id = any(cast(:champions as integer[]))))
  order by array_position(cast(:champions as integer[]), score.model_version_id), score.scored_at desc
  limit 1
) as verdict on true
where (cast(:as_of as timestamptz) is null or (story.first_seen_at <= :as_of and story.available_at <= :as_of))
  and (cast(:after_at as timestamptz) is null or (chosen.available_at, chosen.story_id) < (:after_at, :after_id))
  and (cast(:since as timestamptz) is null or chosen.available_at >= :since)
  and (cast(:until as timestamptz) is null or chosen.available_at < :until)
  and (cast(:words as text) is null or story.search @@ websearch_to_tsquery('english', :words))
  and (cast(:sentiment as text) is null or verdict.sentiment = :sentiment)
  -- scalar, not exists: that would be hashed, and read the whole table first
  and (cast(:source as text) is null or (
        select true from articles as told where told.story_id = story.id and told.source = :source limit 1))
  and (cast(:sector as text) is null or (
        select true from score_companies as about join companies as peer on peer.id = about.company_id
        where about.story_id = story.id and about.model_version_id = verdict.model_version_id and peer.sector = :sector limit 1))
  and (cast(:company_id as integer) is null or (
        select true from score_companies as about
        where about.story_id = story.id and about.model_version_id = verdict.model_version_id
          and about.company_id = :company_id limit 1))
  and (cast(:topic as text) is null or (
        select true from score_topics as topic
        where topic.story_id = story.id and topic.model_version_id = verdict.model_version_id
          and topic.topic = :topic limit 1))
order by chosen.available_at desc, chosen.story_id desc
limit :limit
