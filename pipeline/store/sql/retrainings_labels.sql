-- Every label in force with its article as a retraining needs it. `point` is a fixed random number of the story;
-- `oldest_label` the story's first label of all, taken back or not: a corrected one was taught nonetheless.
with oldest as (
  select article.story_id, min(label.id) as label_id
  from labels as label join articles as article on article.id = label.article_id
  group by article.story_id
)
select label.id as label_id, article.id as article_id, article.story_id,
       case when story.first_article_id = article.id then story.text
            else concat_ws(e'\n', article.title, nullif(article.summary, '')) end as text,
       coalesce((select jsonb_agg(jsonb_build_array(named.name, mention.spans) order by named.name)
                 from mentions as mention join companies as named on named.id = mention.company_id
                 where mention.article_id = article.id), '[]') as mentions,
       label.target, company.name as company, label.sentiment, label.topics, label.labelled_by, label.queue_reason,
       article.available_at, feed.may_train,
       (select kept.set_name from frozen_articles as kept join articles as member on member.id = kept.article_id
        where member.story_id = article.story_id limit 1) as frozen,
       ('x' || substr(md5('frozen:' || article.story_id), 1, 8))::bit(32)::bigint / 4294967296.0::double precision as point,
       label.schema_version, oldest.label_id as oldest_label
from labels as label
join articles as article on article.id = label.article_id
join stories as story on story.id = article.story_id
join oldest on oldest.story_id = article.story_id
join feeds as feed on feed.id = article.feed_id
left join companies as company on company.id = label.company_id
where label.retracted_at is null
order by label.id
