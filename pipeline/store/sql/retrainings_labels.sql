-- Every label in force with its article as a retraining needs it. `point` is a fixed random number of the story;
-- `oldest_label` the story's first label of all, taken back or not: a corrected one was taught nonetheless.
-- Of a copy the text is what grouping read and cut its spans from: its first state, as story_text in
-- pipeline/ingest/articles.py puts it together. A span in it that is no
-- name of its company is left out.
with oldest as (
  select article.story_id, min(label.id) as label_id
  from labels as label join articles as article on article.id = label.article_id
  group by article.story_id
)
select label.id as label_id, article.id as article_id, article.story_id,
       read.text,
       coalesce((select jsonb_agg(jsonb_build_array(named.name, kept.spans) order by named.name)
                 from mentions as mention join companies as named on named.id = mention.company_id
                 cross join lateral (
                   select jsonb_agg(span order by place) as spans
                   from jsonb_array_elements(mention.spans) with ordinality as found (span, place)
                   cross join lateral (
                     select substr(read.text, (span ->> 0)::integer + 1, (span ->> 1)::integer - (span ->> 0)::integer)
                   ) as cut (name)
                   where story.first_article_id = article.id
                      or lower(cut.name) in (select lower(word) from unnest(named.aliases || named.name) as word)
                      or cut.name ~ '[$(:]' and strpos(cut.name, named.ticker) > 0
                 ) as kept
                 where mention.article_id = article.id and kept.spans is not null), '[]') as mentions,
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
  select case when story.first_article_id = article.id then story.text
              else rtrim(left(concat_ws(e'\n', state.title, nullif(
                case when length(state.summary) >= 40 or coalesce(state.body, '') = '' then state.summary
                     else left(state.body, 2000) end, '')), 4000), e' \n') end
  from (
    select title, summary, body, revision from article_revisions where article_id = article.id and revision = 1
    union all
    select article.title, article.summary, article.body, 2
    order by revision limit 1
  ) as state
) as read (text)
where label.retracted_at is null
order by label.id
