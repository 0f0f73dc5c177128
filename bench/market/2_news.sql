-- The stories numbered from market.first to market.last with their articles; run once for each part, in its transaction.
-- Evenly by number but for a daily rhythm; ids run with time, as in a live system. Two crises today: a company (the
-- seventh) and a sector (Banks).

create temporary table made_stories on commit drop as
select i as id, seen_at, ticker_id, crisis,
       case when crisis then pg_temp.chance(i, 3) < 0.85 else pg_temp.chance(i, 3) < 0.18 + 0.14 * pg_temp.chance(ticker_id, 4) end as bad,
       pg_temp.chance(i, 5) as luck
from (
  select i, seen_at, ticker.id as ticker_id,
         seen_at > pg_temp.moment() - interval '9 hours' and (ticker.id = 7 or ticker.id % 8 = 0) as crisis
  from generate_series(current_setting('market.first')::bigint, current_setting('market.last')::bigint) as i
  cross join lateral (select pg_temp.days() * (i - 0.5) / current_setting('market.stories')::double precision as day) as place
  cross join lateral (
    select pg_temp.moment() - make_interval(secs => 86400 * (pg_temp.days() - day - 0.1 * sin(2 * pi() * (day - floor(day)))))
  ) as time (seen_at)
  cross join lateral (
    -- some companies are in the news far more than others; in a crisis a tenth of all news is about its company
    select case when seen_at > pg_temp.moment() - interval '9 hours' and pg_temp.chance(i, 6) < 0.1 then 7
                else 1 + floor(power(pg_temp.chance(i, 2), 2) * current_setting('market.companies')::integer)::integer end
  ) as ticker (id)
) as placed;

create temporary table made_texts on commit drop as
select story.id, story.seen_at, story.ticker_id, story.crisis,
       case when bad then 'negative' when luck < 0.55 then 'neutral' else 'positive' end as sentiment,
       replace(replace(
         case when bad then pg_temp.pick(array[
           'COMPANY cuts its outlook after a weak quarter', 'Regulator opens inquiry into COMPANY', 'COMPANY shares slump N% on profit warning',
           'COMPANY to close plant and cut N00 jobs', 'Creditors press COMPANY as debt falls due', 'COMPANY faces lawsuit over disclosures',
           'Analysts turn sour on COMPANY', 'COMPANY recalls product after complaints', 'Rating agency downgrades COMPANY by a notch',
           'COMPANY loses N% of deposits in a week', 'Fraud claims weigh on COMPANY', 'COMPANY chief resigns amid audit questions'], id, 7)
         when luck < 0.55 then pg_temp.pick(array[
           'COMPANY to report results next week', 'COMPANY names head of investor relations', 'COMPANY holds annual meeting',
           'What to watch as COMPANY meets investors', 'COMPANY keeps its outlook unchanged', 'COMPANY moves headquarters to the docks',
           'COMPANY updates its share register', 'Trading in COMPANY was thin on the day', 'COMPANY files its annual report'], id, 8)
         else pg_temp.pick(array[
           'COMPANY profit beats forecasts by N%', 'COMPANY raises dividend to N cents', 'COMPANY wins order worth $N million',
           'COMPANY shares climb N% after upgrade', 'COMPANY signs supply deal with a larger rival', 'Strong demand lifts COMPANY margin',
           'COMPANY lifts its outlook for the year', 'COMPANY repays loan ahead of schedule', 'Approval clears the way for COMPANY'], id, 9)
         end, 'COMPANY', (select name from companies where companies.id = story.ticker_id)),
         'N', (2 + id % 37)::text) as title,
       pg_temp.pick(array[
         'The company said so in a statement before the market opened.', 'People familiar with the matter confirmed it.',
         'Investors had been waiting for word since last month.', 'The move comes as the whole sector is under review.',
         'A spokesman declined to comment on the figures.', 'The board is to meet again before the end of the quarter.'], id, 10) || ' ' ||
       pg_temp.pick(array[
         'Shares had gained over the past quarter.', 'Rivals are expected to follow.', 'The bonds were little changed.',
         'Analysts had expected more.', 'Trade unions asked for talks.', 'The central bank is watching credit costs.',
         'Freight rates and oil prices played a part.', 'Costs for energy have fallen since spring.'], id, 11) as summary
from made_stories as story;

insert into stories (id, first_article_id, title, text, text_hash, language, first_seen_at, available_at, last_seen_at, copies, sources)
overriding system value
select id, (select coalesce(max(id), 0) from articles) + sum(copies) over (order by id) - copies + 1, title, title || E'\n' || summary,
       decode(md5(title || summary || id), 'hex'), 'en', seen_at, seen_at, seen_at + make_interval(mins => 7 * (made.copies - 1)),
       made.copies, least(made.copies, 12)
from made_texts
cross join lateral (select 1 + floor(-ln(1 - 0.999 * pg_temp.chance(id, 12)) / 1.0)::integer) as made (copies)
order by id;

insert into articles (id, feed_id, item_key, guid, url, source, title, summary, published_at, tz_source, date_status, first_seen_at,
                      event_at, available_at, content_hash, revision, corrected, story_id, story_match, language)
overriding system value
select story.first_article_id + copy - 1, feed.id, decode(md5(story.id || '/' || copy), 'hex'), story.id || '/' || copy,
       'https://outlet-' || feed.id || '.example/' || story.id || '-' || copy, feed.title,
       case copy when 2 then 'UPDATE 1-' else '' end || story.title,
       split_part(story.text, E'\n', 2), story.first_seen_at + made.lag - interval '3 min', 'offset', 'ok', story.first_seen_at + made.lag,
       story.first_seen_at + made.lag - interval '3 min', story.first_seen_at + made.lag, story.text_hash,
       case when story.id % 50 = 0 and copy = 1 then 2 else 1 end, story.id % 50 = 0 and copy = 1, story.id,
       case copy when 1 then 'first' else 'near_copy' end, 'en'
from stories as story
cross join lateral generate_series(1, story.copies) as copy
cross join lateral (select make_interval(mins => 7 * (copy - 1))) as made (lag)
join feeds as feed on feed.id = 1 + (hashint8extended(story.id + 31 * copy, 13) & 1048575) % 12
where story.id between current_setting('market.first')::bigint and current_setting('market.last')::bigint
order by 1;

analyze made_stories, made_texts;

insert into article_revisions (article_id, revision, seen_at, title, summary, content_hash, is_correction)
select article.id, state.number, article.first_seen_at + make_interval(mins => 40 * (state.number - 1)),
       case when state.number < article.revision then article.title else case when state.number = 2 then 'CORRECTED-' else '' end || article.title end,
       article.summary, article.content_hash, state.number = 2
from articles as article cross join lateral generate_series(1, article.revision) as state (number)
where article.id >= (select first_article_id from stories where id = current_setting('market.first')::bigint)
  and article.story_match = 'first' and (article.revision > 1 or article.story_id % 20 = 0);
