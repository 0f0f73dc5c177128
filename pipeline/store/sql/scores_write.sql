-- One statement writes the whole batch; a story that the version has scored already stays as it is.
with rows as (
  select * from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    story_id bigint, text_hash text, negative real, neutral real, positive real, sentiment text,
    companies jsonb, topics jsonb
  )
), written as (
  insert into scores (story_id, model_version_id, scored_at, negative, neutral, positive, sentiment, text_hash)
  select story_id, :model_version_id, :scored_at, negative, neutral, positive, sentiment, decode(text_hash, 'hex')
  from rows
  order by story_id  -- two runs that hold the same stories meet in one order, or they would wait for each other
  on conflict do nothing
  returning story_id
), of_companies as (
  insert into score_companies (story_id, model_version_id, company_id, negative, neutral, positive, sentiment)
  select r.story_id, :model_version_id, c.company_id, c.negative, c.neutral, c.positive, c.sentiment
  from rows r
  join written using (story_id)
  cross join lateral jsonb_to_recordset(r.companies) as c (
    company_id integer, negative real, neutral real, positive real, sentiment text
  )
), of_topics as (
  insert into score_topics (story_id, model_version_id, topic, probability)
  select r.story_id, :model_version_id, t.key, t.value::real
  from rows r
  join written using (story_id)
  cross join lateral jsonb_each_text(r.topics) as t
)
select count(*) from written
