-- Stories with their verdicts, companies, topics; articles and their revisions. The verdict shown is that of the present
-- champion, or, where it has not read the story, of the version that scored it last.

create view analytics.scored_stories as
select story.id as story_id, story.title, story.text, article.source, article.url, story.language,
       story.first_seen_at, story.available_at, story.last_seen_at, story.copies, story.sources, story.backfilled,
       coalesce(article.revision, 1) as revisions, coalesce(article.corrected, false) as corrected,
       (select max(novelty.novelty_24h) from story_novelties as novelty where novelty.story_id = story.id) as novelty,
       score.scored_at, score.negative, score.neutral, score.positive, score.sentiment,
       score.positive::double precision - score.negative as score,
       (select array_agg(topic.topic order by topic.probability desc) from score_topics as topic
        where topic.story_id = story.id and topic.model_version_id = score.model_version_id) as topics,
       (select version.version from model_versions as version where version.id = score.model_version_id) as model_version,
       case when score.story_id is null then
         (select unscored.reason from unscored_stories as unscored where unscored.story_id = story.id
          order by unscored.decided_at desc limit 1)
       end as unscored_reason,
       (select min(told.scored_at) from scores as told where told.story_id = story.id) as first_scored_at,
       story.search
from stories as story
left join articles as article on article.id = story.first_article_id
left join lateral (
  select score.* from scores as score
  where score.story_id = story.id
  order by score.model_version_id = (select champion.model_version_id from champion_periods as champion
                                     where champion.ends_at = 'infinity') desc,
           score.scored_at desc
  limit 1
) as score on true;
comment on view analytics.scored_stories is 'Each story once, with the verdict on it, its first article, and how often and where it was copied.';
comment on column analytics.scored_stories.story_id is 'The story.';
comment on column analytics.scored_stories.title is 'Title as first seen.';
comment on column analytics.scored_stories.text is 'Text that is scored: title and summary as first seen.';
comment on column analytics.scored_stories.source is 'Outlet that was seen to tell it first.';
comment on column analytics.scored_stories.url is 'Link of that article, or null.';
comment on column analytics.scored_stories.language is 'ISO 639-1 code, or null if unknown.';
comment on column analytics.scored_stories.first_seen_at is 'When its first article was stored, UTC.';
comment on column analytics.scored_stories.available_at is 'When it may be known: first_seen_at, for imported history its publication; UTC.';
comment on column analytics.scored_stories.last_seen_at is 'When its newest copy was stored, UTC.';
comment on column analytics.scored_stories.copies is 'Articles in the story, the first included.';
comment on column analytics.scored_stories.sources is 'Distinct outlets among them.';
comment on column analytics.scored_stories.backfilled is 'True: imported, or published more than 6 h before it arrived.';
comment on column analytics.scored_stories.revisions is 'States in which its first article was seen.';
comment on column analytics.scored_stories.corrected is 'True: its first article was marked as corrected later.';
comment on column analytics.scored_stories.novelty is 'Share of its text not seen in 24 h, for the company it is newest for, 0 to 1; null if it names none.';
comment on column analytics.scored_stories.scored_at is 'When the verdict was written, UTC; null while it waits. A new champion reads the last days again.';
comment on column analytics.scored_stories.negative is 'Probability of negative, 0 to 1.';
comment on column analytics.scored_stories.neutral is 'Probability of neutral, 0 to 1.';
comment on column analytics.scored_stories.positive is 'Probability of positive, 0 to 1.';
comment on column analytics.scored_stories.sentiment is 'The likeliest: negative, neutral, positive; null while it waits.';
comment on column analytics.scored_stories.score is 'p(positive) - p(negative), -1 to 1.';
comment on column analytics.scored_stories.topics is 'Its topics, likeliest first.';
comment on column analytics.scored_stories.model_version is 'Version that gave the verdict.';
comment on column analytics.scored_stories.unscored_reason is 'Why it has no verdict: language, failure, empty; null if it has one or waits.';
comment on column analytics.scored_stories.first_scored_at is 'When it had its first verdict, of whichever version, UTC; null while it waits.';
comment on column analytics.scored_stories.search is 'Full-text vector (English): search @@ websearch_to_tsquery(''english'', ''...'').';

create view analytics.story_companies as
select verdict.story_id, story.title, verdict.available_at, verdict.company_id, company.name as company, company.ticker,
       company.sector, verdict.negative, verdict.neutral, verdict.positive, verdict.sentiment,
       verdict.positive::double precision - verdict.negative as score, mention.relevance, mention.in_title,
       novelty.novelty_12h, novelty.novelty_24h, novelty.novelty_3d, novelty.novelty_5d, novelty.novelty_7d,
       story.copies, story.sources, version.version as model_version
from score_companies as verdict
join champion_periods as champion on champion.model_version_id = verdict.model_version_id
  and verdict.available_at >= date_bin('1 day', champion.starts_at, 'epoch')
  and verdict.available_at < date_bin('1 day', champion.ends_at, 'epoch')
join companies as company on company.id = verdict.company_id
-- left, though none is ever missing: a question that asks nothing of the story then does not read it
left join stories as story on story.id = verdict.story_id
left join model_versions as version on version.id = verdict.model_version_id
left join mentions as mention on mention.article_id = story.first_article_id and mention.company_id = verdict.company_id
left join story_novelties as novelty on novelty.story_id = verdict.story_id and novelty.company_id = verdict.company_id;
comment on view analytics.story_companies is 'Each company in each scored story, with the verdict for that company by the champion of that day.';
comment on column analytics.story_companies.story_id is 'The story.';
comment on column analytics.story_companies.title is 'Its title.';
comment on column analytics.story_companies.available_at is 'When it may be known, UTC.';
comment on column analytics.story_companies.company_id is 'The company.';
comment on column analytics.story_companies.company is 'Its name.';
comment on column analytics.story_companies.ticker is 'Its ticker, or null.';
comment on column analytics.story_companies.sector is 'Its sector, or null.';
comment on column analytics.story_companies.negative is 'Probability that it is bad news for the company, 0 to 1.';
comment on column analytics.story_companies.neutral is 'Probability that it is neither, 0 to 1.';
comment on column analytics.story_companies.positive is 'Probability that it is good news for the company, 0 to 1.';
comment on column analytics.story_companies.sentiment is 'The likeliest: negative, neutral, positive.';
comment on column analytics.story_companies.score is 'p(positive) - p(negative), -1 to 1.';
comment on column analytics.story_companies.relevance is 'How much the first article is about it, 0 to 1.';
comment on column analytics.story_companies.in_title is 'True: named in the title of the first article.';
comment on column analytics.story_companies.novelty_12h is 'Share of the text not seen for the company in the last 12 h, 0 to 1.';
comment on column analytics.story_companies.novelty_24h is 'Likewise, 24 h.';
comment on column analytics.story_companies.novelty_3d is 'Likewise, 3 days.';
comment on column analytics.story_companies.novelty_5d is 'Likewise, 5 days.';
comment on column analytics.story_companies.novelty_7d is 'Likewise, 7 days.';
comment on column analytics.story_companies.copies is 'Articles in the story, the first included.';
comment on column analytics.story_companies.sources is 'Distinct outlets among them.';
comment on column analytics.story_companies.model_version is 'Version that gave the verdict.';

create view analytics.story_topics as
select about.story_id, about.available_at, about.topic,
       (select series.title from series where series.kind = 'topic' and series.key = about.topic) as title,
       about.probability,
       (select version.version from model_versions as version where version.id = about.model_version_id) as model_version
from score_topics as about
where about.model_version_id = (
  select champion.model_version_id from champion_periods as champion
  where about.available_at >= date_bin('1 day', champion.starts_at, 'epoch')
    and about.available_at < date_bin('1 day', champion.ends_at, 'epoch'));
comment on view analytics.story_topics is 'Each topic of each scored story, as the champion of that day saw it.';
comment on column analytics.story_topics.story_id is 'The story.';
comment on column analytics.story_topics.available_at is 'When it may be known, UTC.';
comment on column analytics.story_topics.topic is 'Short name of the topic.';
comment on column analytics.story_topics.title is 'Name that people read.';
comment on column analytics.story_topics.probability is 'Probability that the story is about it, 0 to 1.';
comment on column analytics.story_topics.model_version is 'Version that said so.';

create view analytics.mentions as
select mention.article_id, mention.company_id, company.name as company, company.ticker, mention.relevance,
       mention.in_title, mention.hits, article.source, article.title, article.event_at, article.available_at,
       article.story_id
from mentions as mention
join articles as article on article.id = mention.article_id
join companies as company on company.id = mention.company_id;
comment on view analytics.mentions is 'Each company named in each article, copies included.';
comment on column analytics.mentions.article_id is 'The article.';
comment on column analytics.mentions.company_id is 'The company.';
comment on column analytics.mentions.company is 'Its name.';
comment on column analytics.mentions.ticker is 'Its ticker, or null.';
comment on column analytics.mentions.relevance is 'How much the article is about it, 0 to 1.';
comment on column analytics.mentions.in_title is 'True: named in the title.';
comment on column analytics.mentions.hits is 'How often it is named.';
comment on column analytics.mentions.source is 'Outlet.';
comment on column analytics.mentions.title is 'Title of the article.';
comment on column analytics.mentions.event_at is 'Publication time where it can be trusted, else when it was seen, UTC.';
comment on column analytics.mentions.available_at is 'When it may be known, UTC.';
comment on column analytics.mentions.story_id is 'Its story; null until grouped.';

create view analytics.articles as
select article.id as article_id, article.story_id, article.story_match, feed.name as feed, article.source, article.title,
       article.summary, article.url, article.author, article.language, article.published_at, article.date_status,
       article.event_at, article.first_seen_at, article.available_at, article.revision as revisions, article.corrected,
       article.backfilled
from articles as article
join feeds as feed on feed.id = article.feed_id;
comment on view analytics.articles is 'Every article as last seen, copies included.';
comment on column analytics.articles.article_id is 'The article.';
comment on column analytics.articles.story_id is 'Its story; null until grouped.';
comment on column analytics.articles.story_match is 'How it joined the story: first, url, title, near_copy.';
comment on column analytics.articles.feed is 'Name of the feed it came by.';
comment on column analytics.articles.source is 'Outlet.';
comment on column analytics.articles.title is 'Title.';
comment on column analytics.articles.summary is 'Summary, plain text.';
comment on column analytics.articles.url is 'Link, or null.';
comment on column analytics.articles.author is 'Author as given.';
comment on column analytics.articles.language is 'ISO 639-1 code, or null.';
comment on column analytics.articles.published_at is 'Publication date as read, UTC; null if it could not be read without guessing.';
comment on column analytics.articles.date_status is 'ok, or why published_at is not to be trusted.';
comment on column analytics.articles.event_at is 'published_at where it can be trusted, else first_seen_at, UTC.';
comment on column analytics.articles.first_seen_at is 'When it was stored, UTC.';
comment on column analytics.articles.available_at is 'When it may be known, UTC.';
comment on column analytics.articles.revisions is 'States it was seen in.';
comment on column analytics.articles.corrected is 'True: a later revision was marked as a correction.';
comment on column analytics.articles.backfilled is 'True: imported, or published more than 6 h before it arrived.';

create view analytics.article_revisions as
select revision.article_id, revision.revision, revision.seen_at, revision.title, revision.summary, revision.is_correction
from article_revisions as revision;
comment on view analytics.article_revisions is 'Every state each article was seen in.';
comment on column analytics.article_revisions.article_id is 'The article.';
comment on column analytics.article_revisions.revision is 'Number of the state, from 1.';
comment on column analytics.article_revisions.seen_at is 'When it was first seen, UTC.';
comment on column analytics.article_revisions.title is 'Title then.';
comment on column analytics.article_revisions.summary is 'Summary then.';
comment on column analytics.article_revisions.is_correction is 'True: its words say that it corrects.';
