-- Mentions of one part's stories, their scores by the champion of the time (the present one re-scored the last 90 days), and
-- what was counted. In the transaction of 2_news.sql, whose temporary tables it reads.

create temporary table made_articles on commit drop as
select id, story_id, title from articles
where id >= (select first_article_id from stories where id = current_setting('market.first')::bigint);
analyze made_articles;

insert into mentions (article_id, company_id, relevance, in_title, hits, spans)
select article.id, story.ticker_id, 0.9, true, 1, jsonb_build_array(jsonb_build_array(
         position(company.name in article.title) - 1, position(company.name in article.title) - 1 + length(company.name)))
from made_articles as article
join made_stories as story on story.id = article.story_id
join companies as company on company.id = story.ticker_id
union all
select article.id, second.company_id, 0.3, false, 1, '[]'::jsonb
from made_articles as article
join made_stories as story on story.id = article.story_id and pg_temp.chance(story.id, 14) < 0.25
cross join lateral (select 1 + (story.ticker_id + story.id::integer % 7) % current_setting('market.companies')::integer) as second (company_id)
where second.company_id <> story.ticker_id
order by 1, 2;

create temporary table made_scores on commit drop as
select story.id as story_id, version.id as model_version_id, story.seen_at, story.sentiment, story.ticker_id, sure,
       version.id = 2 and story.seen_at < pg_temp.moment() - interval '10 days' as again
from made_texts as story
cross join lateral (select (0.5 + 0.48 * pg_temp.chance(story.id, 15))::real) as made (sure)
join (values (1, '-infinity'::timestamptz, pg_temp.moment() - interval '10 days'),
             (2, pg_temp.moment() - interval '90 days', 'infinity')) as version (id, from_at, until_at)
  on story.seen_at >= version.from_at and story.seen_at < version.until_at;

insert into scores (story_id, model_version_id, scored_at, negative, neutral, positive, sentiment, text_hash)
select story_id, model_version_id,
       case when again then pg_temp.moment() - interval '9 days' else seen_at + interval '90 seconds' end,
       case sentiment when 'negative' then sure else rest * 0.4 end,
       case sentiment when 'neutral' then sure when 'negative' then rest * 0.7 else rest * 0.6 end,
       case sentiment when 'positive' then sure when 'negative' then rest * 0.3 else rest * 0.6 end, sentiment,
       decode(md5(story_id::text), 'hex')
from made_scores cross join lateral (select (1 - sure)::real) as made (rest);

insert into score_companies (story_id, model_version_id, available_at, company_id, negative, neutral, positive, sentiment)
select score.story_id, score.model_version_id, story.available_at, mention.company_id,
       case when mention.in_title then score.negative else score.neutral end,
       case when mention.in_title then score.neutral else score.negative end, score.positive,
       case when mention.in_title then score.sentiment when score.sentiment = 'negative' then 'neutral'
            when score.sentiment = 'neutral' then 'negative' else 'positive' end
from scores as score
join stories as story on story.id = score.story_id
join mentions as mention on mention.article_id = story.first_article_id
where score.story_id between current_setting('market.first')::bigint and current_setting('market.last')::bigint;

insert into score_topics (story_id, model_version_id, available_at, topic, probability)
select story_id, model_version_id, seen_at, topic.key, 0.9 - 0.3 * place
from made_scores
cross join generate_series(0, 1) as place
join series as topic on topic.kind = 'topic' and topic.id = 2 + (floor(20 * power(pg_temp.chance(story_id, 16), 1.5))::integer + 5 * place) % 20
where place = 0 or pg_temp.chance(story_id, 17) < 0.4;

insert into story_novelties
select story.id, mention.company_id, new, new * 0.97, new * 0.9, new * 0.85, new * 0.8
from stories as story
join mentions as mention on mention.article_id = story.first_article_id
cross join lateral (select (0.3 + 0.7 * pg_temp.chance(story.id, 18))::real) as made (new)
where story.id between current_setting('market.first')::bigint and current_setting('market.last')::bigint
  and story.available_at >= pg_temp.moment() - interval '120 days';

insert into counted_stories (story_id, model_version_id, window_start, counted_at, live)
select story_id, model_version_id, date_bin('15 min', seen_at, 'epoch'),
       case when again then pg_temp.moment() - interval '9 days' else seen_at + interval '90 seconds' end, not again
from made_scores;
