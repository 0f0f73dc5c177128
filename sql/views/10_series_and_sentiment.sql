-- Sentiment over time. Every view here shows the verdicts of the model that was champion in each span, so a promotion
-- never changes the past; story counts are distinct stories, never copies.

create view analytics.series as
select series.id as series_id, series.kind, series.key, series.title, series.company_id,
       company.ticker, case series.kind when 'sector' then series.key else company.sector end as sector,
       series.created_at as watched_since_at,
       case series.kind when 'company' then company.enabled
         when 'sector' then exists (select from companies as member where member.sector = series.key and member.enabled)
         else true end as watched
from series
left join companies as company on company.id = series.company_id;
comment on view analytics.series is 'What is watched, or was: everything, topics, companies, sectors.';
comment on column analytics.series.series_id is 'Key of the series; the other views carry it.';
comment on column analytics.series.kind is 'all, topic, company, sector.';
comment on column analytics.series.key is 'Short name: all, the topic, the company, the sector.';
comment on column analytics.series.title is 'Name that people read.';
comment on column analytics.series.company_id is 'The company, where kind is company.';
comment on column analytics.series.ticker is 'Its ticker, where kind is company.';
comment on column analytics.series.sector is 'The sector, where kind is company or sector.';
comment on column analytics.series.watched_since_at is 'When it began to be watched, UTC.';
comment on column analytics.series.watched is 'False: the company left the watch list, or the sector its last company; the history stays.';

-- Intervals are 95 %: Wilson for the share, normal for the mean score. That of the index is normal with half a story added
-- to each verdict: a bootstrap over stories gives the same from 20 stories on, and below that it is too narrow (five
-- stories: over five mixes of verdicts it holds the truth in 84 % of cases, this one in 96 %) and too slow for a view. For a period, whose days
-- hang together, there is analytics.sentiment_bootstrap.
create view analytics.sentiment_15min as
select rollup.series_id, series.kind, series.key, series.title, rollup.start_at,
       (rollup.negative + rollup.neutral + rollup.positive) as stories,
       rollup.negative, rollup.neutral, rollup.positive,
       rollup.negative::double precision / (rollup.negative + rollup.neutral + rollup.positive) as negative_share,
       (rollup.positive - rollup.negative)::double precision / (rollup.negative + rollup.neutral + rollup.positive)
         as sentiment_index,
       rollup.score_sum / (rollup.negative + rollup.neutral + rollup.positive) as mean_score,
       rollup.model_version_id
from sentiment_rollups as rollup
join champion_periods as champion using (model_version_id)
join series on series.id = rollup.series_id
where rollup.span_minutes = 15
  and rollup.start_at >= date_bin('15 min', champion.starts_at, 'epoch')
  and rollup.start_at < date_bin('15 min', champion.ends_at, 'epoch');
comment on view analytics.sentiment_15min is 'Sentiment of each series per quarter of an hour [start_at, start_at + 15 min); spans without stories have no row.';
comment on column analytics.sentiment_15min.series_id is 'The series.';
comment on column analytics.sentiment_15min.kind is 'all, topic, company, sector.';
comment on column analytics.sentiment_15min.key is 'Key of the series within its kind.';
comment on column analytics.sentiment_15min.title is 'Name that people read.';
comment on column analytics.sentiment_15min.start_at is 'Start of the quarter of an hour, UTC.';
comment on column analytics.sentiment_15min.stories is 'Distinct scored stories.';
comment on column analytics.sentiment_15min.negative is 'Negative stories.';
comment on column analytics.sentiment_15min.neutral is 'Neutral stories.';
comment on column analytics.sentiment_15min.positive is 'Positive stories.';
comment on column analytics.sentiment_15min.negative_share is 'negative / stories, 0 to 1.';
comment on column analytics.sentiment_15min.sentiment_index is '(positive - negative) / stories, -1 to 1.';
comment on column analytics.sentiment_15min.mean_score is 'Mean of p(positive) - p(negative), -1 to 1.';
comment on column analytics.sentiment_15min.model_version_id is 'The version that was champion at its end.';

create view analytics.sentiment_hourly as
select rollup.series_id, series.kind, series.key, series.title, rollup.start_at,
       n.stories, rollup.negative, rollup.neutral, rollup.positive,
       rollup.negative / n.size as negative_share,
       (rollup.positive - rollup.negative) / n.size as sentiment_index,
       greatest(-1, near.index - near.half_width) as sentiment_index_low,
       least(1, near.index + near.half_width) as sentiment_index_high,
       rollup.score_sum / n.size as mean_score,
       rollup.model_version_id
from sentiment_rollups as rollup
join champion_periods as champion using (model_version_id)
join series on series.id = rollup.series_id
cross join lateral (select rollup.negative + rollup.neutral + rollup.positive,
                           (rollup.negative + rollup.neutral + rollup.positive)::double precision) as n (stories, size)
cross join lateral (
  select (rollup.positive - rollup.negative) / (n.size + 1.5),
         1.96 * sqrt(((rollup.positive + rollup.negative + 1) / (n.size + 1.5)
                      - ((rollup.positive - rollup.negative) / (n.size + 1.5)) ^ 2) / (n.size + 1.5))
) as near (index, half_width)
where rollup.span_minutes = 60
  and rollup.start_at >= date_bin('1 hour', champion.starts_at, 'epoch')
  and rollup.start_at < date_bin('1 hour', champion.ends_at, 'epoch');
comment on view analytics.sentiment_hourly is 'Sentiment of each series per hour [start_at, start_at + 1 h), with 95 % intervals of the index; hours without stories have no row.';
comment on column analytics.sentiment_hourly.series_id is 'The series.';
comment on column analytics.sentiment_hourly.kind is 'all, topic, company, sector.';
comment on column analytics.sentiment_hourly.key is 'Key of the series within its kind.';
comment on column analytics.sentiment_hourly.title is 'Name that people read.';
comment on column analytics.sentiment_hourly.start_at is 'Start of the hour, UTC.';
comment on column analytics.sentiment_hourly.stories is 'Distinct scored stories.';
comment on column analytics.sentiment_hourly.negative is 'Negative stories.';
comment on column analytics.sentiment_hourly.neutral is 'Neutral stories.';
comment on column analytics.sentiment_hourly.positive is 'Positive stories.';
comment on column analytics.sentiment_hourly.negative_share is 'negative / stories, 0 to 1.';
comment on column analytics.sentiment_hourly.sentiment_index is '(positive - negative) / stories, -1 to 1.';
comment on column analytics.sentiment_hourly.sentiment_index_low is 'Lower end of its 95 % interval, -1 to 1.';
comment on column analytics.sentiment_hourly.sentiment_index_high is 'Upper end of its 95 % interval, -1 to 1.';
comment on column analytics.sentiment_hourly.mean_score is 'Mean of p(positive) - p(negative), -1 to 1.';
comment on column analytics.sentiment_hourly.model_version_id is 'The version that was champion at its end.';

create view analytics.sentiment_daily as
select rollup.series_id, series.kind, series.key, series.title, rollup.start_at,
       n.stories, rollup.negative, rollup.neutral, rollup.positive,
       rollup.negative / n.size as negative_share,
       (rollup.negative / n.size + 1.9208 / n.size
         - 1.96 * sqrt(rollup.negative / n.size * (1 - rollup.negative / n.size) / n.size + 0.9604 / (n.size * n.size)))
         / (1 + 3.8416 / n.size) as negative_share_low,
       (rollup.negative / n.size + 1.9208 / n.size
         + 1.96 * sqrt(rollup.negative / n.size * (1 - rollup.negative / n.size) / n.size + 0.9604 / (n.size * n.size)))
         / (1 + 3.8416 / n.size) as negative_share_high,
       (rollup.positive - rollup.negative) / n.size as sentiment_index,
       greatest(-1, near.index - near.half_width) as sentiment_index_low,
       least(1, near.index + near.half_width) as sentiment_index_high,
       rollup.score_sum / n.size as mean_score,
       case when n.stories > 1 then greatest(-1, rollup.score_sum / n.size - 1.96 * n.standard_error) end as mean_score_low,
       case when n.stories > 1 then least(1, rollup.score_sum / n.size + 1.96 * n.standard_error) end as mean_score_high,
       rollup.model_version_id
from sentiment_rollups as rollup
join champion_periods as champion using (model_version_id)
join series on series.id = rollup.series_id
cross join lateral (select rollup.negative + rollup.neutral + rollup.positive,
                           (rollup.negative + rollup.neutral + rollup.positive)::double precision) as counted (stories, size)
cross join lateral (
  select counted.stories, counted.size,
         sqrt(greatest(0, rollup.score_squares - rollup.score_sum * rollup.score_sum / counted.size)
              / nullif(counted.size - 1, 0) / counted.size)
) as n (stories, size, standard_error)
cross join lateral (
  select (rollup.positive - rollup.negative) / (n.size + 1.5),
         1.96 * sqrt(((rollup.positive + rollup.negative + 1) / (n.size + 1.5)
                      - ((rollup.positive - rollup.negative) / (n.size + 1.5)) ^ 2) / (n.size + 1.5))
) as near (index, half_width)
where rollup.span_minutes = 1440
  and rollup.start_at >= date_bin('1 day', champion.starts_at, 'epoch')
  and rollup.start_at < date_bin('1 day', champion.ends_at, 'epoch');
comment on view analytics.sentiment_daily is 'Sentiment of each series per UTC day [start_at, start_at + 1 day), with 95 % intervals; days without stories have no row.';
comment on column analytics.sentiment_daily.series_id is 'The series.';
comment on column analytics.sentiment_daily.kind is 'all, topic, company, sector.';
comment on column analytics.sentiment_daily.key is 'Key of the series within its kind.';
comment on column analytics.sentiment_daily.title is 'Name that people read.';
comment on column analytics.sentiment_daily.start_at is 'Start of the UTC day.';
comment on column analytics.sentiment_daily.stories is 'Distinct scored stories.';
comment on column analytics.sentiment_daily.negative is 'Negative stories.';
comment on column analytics.sentiment_daily.neutral is 'Neutral stories.';
comment on column analytics.sentiment_daily.positive is 'Positive stories.';
comment on column analytics.sentiment_daily.negative_share is 'negative / stories, 0 to 1.';
comment on column analytics.sentiment_daily.negative_share_low is 'Lower end of its 95 % Wilson interval, 0 to 1.';
comment on column analytics.sentiment_daily.negative_share_high is 'Upper end of its 95 % Wilson interval, 0 to 1.';
comment on column analytics.sentiment_daily.sentiment_index is '(positive - negative) / stories, -1 to 1.';
comment on column analytics.sentiment_daily.sentiment_index_low is 'Lower end of its 95 % interval, -1 to 1.';
comment on column analytics.sentiment_daily.sentiment_index_high is 'Upper end of its 95 % interval, -1 to 1.';
comment on column analytics.sentiment_daily.mean_score is 'Mean of p(positive) - p(negative), -1 to 1.';
comment on column analytics.sentiment_daily.mean_score_low is 'Lower end of its 95 % interval, -1 to 1; null for a single story.';
comment on column analytics.sentiment_daily.mean_score_high is 'Upper end of its 95 % interval, -1 to 1; null for a single story.';
comment on column analytics.sentiment_daily.model_version_id is 'The version that was champion at its end.';

-- 28 days: four of each weekday, and short enough to follow a company's lasting change.
create view analytics.sentiment_daily_expected as
select today.series_id, today.kind, today.key, today.title, today.start_at, today.stories, today.negative,
       today.sentiment_index, usual.expected_index,
       greatest(-1, usual.expected_index - 2 * usual.deviation) as expected_low,
       least(1, usual.expected_index + 2 * usual.deviation) as expected_high,
       today.stories * usual.share as expected_negative,
       usual.days
from analytics.sentiment_daily as today
cross join lateral (
  select avg(day.sentiment_index), stddev_samp(day.sentiment_index),
         sum(day.negative)::double precision / sum(day.stories), count(*)::integer
  from (select (positive - negative) / (negative + neutral + positive)::double precision as sentiment_index,
               negative, negative + neutral + positive as stories
        from sentiment_rollups
        where span_minutes = 1440 and series_id = today.series_id and model_version_id = today.model_version_id
          and start_at >= today.start_at - interval '28 days' and start_at < today.start_at) as day
) as usual (expected_index, deviation, share, days);
comment on view analytics.sentiment_daily_expected is 'Each day of a series against its own 28 days before, judged by the same model: what was usual.';
comment on column analytics.sentiment_daily_expected.series_id is 'The series.';
comment on column analytics.sentiment_daily_expected.kind is 'all, topic, company, sector.';
comment on column analytics.sentiment_daily_expected.key is 'Key of the series within its kind.';
comment on column analytics.sentiment_daily_expected.title is 'Name that people read.';
comment on column analytics.sentiment_daily_expected.start_at is 'Start of the UTC day.';
comment on column analytics.sentiment_daily_expected.stories is 'Distinct scored stories.';
comment on column analytics.sentiment_daily_expected.negative is 'Negative stories.';
comment on column analytics.sentiment_daily_expected.sentiment_index is '(positive - negative) / stories, -1 to 1.';
comment on column analytics.sentiment_daily_expected.expected_index is 'Mean daily index of the 28 days before, -1 to 1; null without history.';
comment on column analytics.sentiment_daily_expected.expected_low is 'expected_index - 2 standard deviations of those days, at least -1; null with fewer than two days.';
comment on column analytics.sentiment_daily_expected.expected_high is 'expected_index + 2 standard deviations, at most 1; null with fewer than two days.';
comment on column analytics.sentiment_daily_expected.expected_negative is 'Negative stories to expect among today''s stories at the share of those 28 days, stories.';
comment on column analytics.sentiment_daily_expected.days is 'Days with stories among the 28, days.';

create view analytics.evaluations as
select evaluation.series_id, series.kind, series.key, series.title, evaluation.tick_at, evaluation.window_hours,
       evaluation.negative, evaluation.other, evaluation.expected,
       greatest(0, evaluation.expected - 2 * sqrt(evaluation.variance)) as expected_low,
       evaluation.expected + 2 * sqrt(evaluation.variance) as expected_high,
       evaluation.p, evaluation.score, evaluation.state
from evaluations as evaluation
join series on series.id = evaluation.series_id;
comment on view analytics.evaluations is 'What the detector found at each tick for each series with something to say, at its best trailing window.';
comment on column analytics.evaluations.series_id is 'The series.';
comment on column analytics.evaluations.kind is 'all, topic, company, sector.';
comment on column analytics.evaluations.key is 'Key of the series within its kind.';
comment on column analytics.evaluations.title is 'Name that people read.';
comment on column analytics.evaluations.tick_at is 'End of the trailing window, UTC.';
comment on column analytics.evaluations.window_hours is 'Its length: 1, 4 or 24 hours.';
comment on column analytics.evaluations.negative is 'Negative stories in it.';
comment on column analytics.evaluations.other is 'Neutral and positive stories in it.';
comment on column analytics.evaluations.expected is 'Negative stories expected given the others, stories.';
comment on column analytics.evaluations.expected_low is 'expected - 2 standard deviations, at least 0, stories.';
comment on column analytics.evaluations.expected_high is 'expected + 2 standard deviations, stories.';
comment on column analytics.evaluations.p is 'Probability of at least so many negatives, 0 to 1.';
comment on column analytics.evaluations.score is '-log10 of it, corrected for three windows and for the whole market; decades.';
comment on column analytics.evaluations.state is 'inactive, learning, no_data, pending, firing, held.';
