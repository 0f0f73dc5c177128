-- Every label in force with its article as a retraining needs it. `point` is a fixed random number of the story;
-- `oldest_label` the story's first label of all, taken back or not: a corrected one was taught nonetheless.
with oldest as (
  select article.story_id, min(label.id) as label_id
  from labels as label join articles as article on article.id = label.article_id
  group by article.story_id
)
select label.id as label_id, article.id as article_id, article.story_id,
       read.text,
       {{article_read_mentions}} as mentions,
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
cross join lateral (
  {{article_read_text}}
) as read (text)
where label.retracted_at is null
order by label.id
