-- Labels against each other and against the model. Labels that were taken back are left out.

create view analytics.labels as
select label.id as label_id, label.article_id, article.story_id, article.title, article.source, label.target,
       company.name as company, label.sentiment, label.topics, label.labelled_by, label.labelled_at, label.origin,
       label.queue_reason, label.confidence,
       coalesce(for_company.sentiment, for_story.sentiment) as model_sentiment,
       coalesce(for_company.sentiment, for_story.sentiment) = label.sentiment as model_agrees
from labels as label
join articles as article on article.id = label.article_id
left join companies as company on company.id = label.company_id
left join champion_periods as champion on champion.ends_at = 'infinity'
left join scores as for_story on label.target = 'story' and for_story.story_id = article.story_id
  and for_story.model_version_id = champion.model_version_id
left join score_companies as for_company on label.target = 'company' and for_company.story_id = article.story_id
  and for_company.model_version_id = champion.model_version_id and for_company.company_id = label.company_id
where label.retracted_at is null;
comment on view analytics.labels is 'What people said of articles, beside what the present champion says.';
comment on column analytics.labels.label_id is 'The label.';
comment on column analytics.labels.article_id is 'The article.';
comment on column analytics.labels.story_id is 'Its story.';
comment on column analytics.labels.title is 'Title of the article.';
comment on column analytics.labels.source is 'Outlet.';
comment on column analytics.labels.target is 'story, company, topics.';
comment on column analytics.labels.company is 'The company, where target is company.';
comment on column analytics.labels.sentiment is 'The verdict of the person: negative, neutral, positive; null for topics.';
comment on column analytics.labels.topics is 'The topics, where target is topics.';
comment on column analytics.labels.labelled_by is 'Who.';
comment on column analytics.labels.labelled_at is 'When, UTC.';
comment on column analytics.labels.origin is 'desk, feedback, file, sql, demo.';
comment on column analytics.labels.queue_reason is 'Why the queue asked; random ones give the unbiased estimate.';
comment on column analytics.labels.confidence is 'How sure the labeller was, 0 to 1, or null.';
comment on column analytics.labels.model_sentiment is 'Verdict of the present champion; null if it has not read it.';
comment on column analytics.labels.model_agrees is 'True: the same; null if there is nothing to compare.';

-- Cohen's kappa: (agreement - chance) / (1 - chance), chance from the two labellers' own shares.
create view analytics.label_agreement as
with pairs as (
  select one.labelled_by as labeller, other.labelled_by as other_labeller, one.target,
         one.sentiment, other.sentiment as other_sentiment
  from labels as one
  join labels as other on other.article_id = one.article_id and other.target = one.target
    and other.company_id is not distinct from one.company_id and other.labelled_by > one.labelled_by
  where one.retracted_at is null and other.retracted_at is null and one.sentiment is not null
), counted as (
  select labeller, other_labeller, target, count(*)::double precision as items,
         count(*) filter (where sentiment = other_sentiment) as agreed,
         count(*) filter (where sentiment = 'negative')::double precision * count(*) filter (where other_sentiment = 'negative')
         + count(*) filter (where sentiment = 'neutral')::double precision * count(*) filter (where other_sentiment = 'neutral')
         + count(*) filter (where sentiment = 'positive')::double precision * count(*) filter (where other_sentiment = 'positive')
           as products
  from pairs group by labeller, other_labeller, target
)
select labeller, other_labeller, target, items::bigint as items, agreed, agreed / items as agreement,
       (agreed / items - products / (items * items)) / nullif(1 - products / (items * items), 0) as kappa
from counted;
comment on view analytics.label_agreement is 'How far two people who labelled the same articles agree.';
comment on column analytics.label_agreement.labeller is 'One of them.';
comment on column analytics.label_agreement.other_labeller is 'The other.';
comment on column analytics.label_agreement.target is 'story or company.';
comment on column analytics.label_agreement.items is 'Labels that both gave.';
comment on column analytics.label_agreement.agreed is 'Those that are equal.';
comment on column analytics.label_agreement.agreement is 'agreed / items, 0 to 1.';
comment on column analytics.label_agreement.kappa is 'Cohen''s kappa, -1 to 1: agreement beyond chance; null where chance alone explains all.';
