-- Ticks, evaluations, spikes and the alerts made of them: two open ones today, and a past one per company and quarter.

insert into ticks (tick_at, evaluated_at, model_version_id, rule_version, market_factor, coverage)
select tick_at, tick_at + interval '4 s', 2, 'market', 1, 1
from generate_series(date_bin('15 min', pg_temp.moment() - interval '30 days', 'epoch'), pg_temp.moment(), interval '15 min') as tick_at;

insert into evaluations (series_id, tick_at, window_hours, negative, other, expected, variance, p, score, state)
select series_id, tick.tick_at, 24, sum(negative), sum(neutral + positive), sum(negative + neutral + positive) * 0.27,
       sum(negative + neutral + positive) * 0.4, 0.2, 0.4, 'inactive'
from ticks as tick
join sentiment_rollups as rollup on rollup.span_minutes = 60 and rollup.start_at >= tick.tick_at - interval '24 hours'
  and rollup.start_at < tick.tick_at and rollup.model_version_id = 2
where tick.tick_at >= pg_temp.moment() - interval '3 days'
group by series_id, tick.tick_at
having sum(negative) > 0;

insert into alerts (series_id, state, severity, pending_at, fired_at, last_crossed_at, last_evaluated_at, resolved_at,
                    acknowledged_at, acknowledged_by, told, peak_score, rule_version, model_version_id, evidence)
select series.id, case when past = 0 then 'firing' else 'resolved' end,
       case when past = 0 or pg_temp.chance(series.id + past, 20) < 0.2 then 'critical' else 'warning' end,
       fired_at - interval '15 min', fired_at, fired_at + interval '5 hours', fired_at + interval '6 hours',
       case when past > 0 then fired_at + interval '11 hours' end,
       case when past > 0 and pg_temp.chance(series.id + past, 21) < 0.7 then fired_at + interval '25 min' end,
       case when past > 0 and pg_temp.chance(series.id + past, 21) < 0.7 then 'ines' end, true, 4 + 4 * pg_temp.chance(series.id + past, 22),
       'market', case when past = 0 then 2 else 1 end, '{}'
from series
cross join generate_series(0, (pg_temp.days() / 90)::integer) as past
cross join lateral (
  select pg_temp.moment() - case past when 0 then interval '6 hours'
    else make_interval(hours => 30 + (past * 2000 * pg_temp.chance(series.id + past, 23))::integer) end
) as time (fired_at)
where fired_at > pg_temp.moment() - make_interval(days => pg_temp.days()::integer)
  and ((past = 0 and (series.company_id = 7 or series.kind = 'sector' and series.key = 'Banks')) or (past > 0 and series.kind = 'company'));

insert into spikes (series_id, tick_at, window_start, window_end, negative, other, expected, variance, p, score, severity,
                    rule_version, model_version_id, alert_id)
select series_id, tick_at, tick_at - interval '4 hours', tick_at, 6 + i, 4, 2.1, 2.6, 1e-5, peak_score - abs(4 - i) * 0.3, severity,
       'market', model_version_id, alert.id
from alerts as alert
cross join generate_series(1, 6) as i
cross join lateral (select date_bin('15 min', fired_at, 'epoch') + make_interval(mins => 15 * i)) as time (tick_at)
on conflict do nothing;

insert into alert_events (alert_id, at, kind, severity, actor)
select id, pending_at, 'pending', severity, 'detect' from alerts
union all select id, fired_at, 'open', severity, 'detect' from alerts
union all select id, acknowledged_at, 'acknowledge', severity, acknowledged_by from alerts where acknowledged_at is not null
union all select id, resolved_at, 'resolve', severity, 'detect' from alerts where resolved_at is not null;

insert into notifications (alert_id, receiver, kind, idempotency_key, state, created_at, not_before_at, attempts, sent_at)
select id, receiver, 'open', id || '/' || receiver, 'sent', fired_at, fired_at, 1, fired_at + interval '9 s'
from alerts, unnest(array['risk-desk', 'slack-risk']) as receiver;

insert into feedback (alert_id, kind, given_by, given_at, via)
select id, case when pg_temp.chance(id, 24) < 0.75 then 'useful' else 'noise' end, 'ines', fired_at + interval '40 min', 'mail'
from alerts where pg_temp.chance(id, 25) < 0.6;

update alerts set evidence = jsonb_build_object(
  'series', jsonb_build_object('kind', series.kind, 'key', series.key, 'title', series.title), 'severity', alerts.severity,
  'negative', 10, 'other', 4, 'expected', 2.1, 'p', 0.000013, 'score', alerts.peak_score, 'window_hours', 4,
  'window_start', alerts.fired_at - interval '4 hours', 'window_end', alerts.fired_at, 'share_now', 0.71, 'share_usual', 0.24,
  'sources', 7, 'copies', 19, 'baseline_date', alerts.fired_at::date, 'rule_version', 'market', 'model_version', 'retrained-1',
  'carried_by', jsonb_build_array(jsonb_build_object('title', 'Legal and regulation', 'negative', 6)),
  'without_largest_story', jsonb_build_object('score', alerts.peak_score - 0.6, 'would_fire', true),
  'without_largest_source', jsonb_build_object('score', alerts.peak_score - 1.1, 'would_fire', true, 'source', 'Meridian Wire'),
  'stories', coalesce((
    select jsonb_agg(jsonb_build_object('story_id', story_id, 'title', title, 'source', source, 'url', url, 'copies', copies,
                                        'sources', sources, 'sentiment', 'negative', 'probability', negative,
                                        'contribution', 0.2, 'first_seen_at', first_seen_at, 'quote', summary))
    from (select about.story_id, article.title, article.source, article.url, story.copies, story.sources, about.negative,
                 story.first_seen_at, article.summary
          from score_companies as about
          join stories as story on story.id = about.story_id
          join articles as article on article.id = story.first_article_id
          where about.company_id = coalesce(series.company_id, 8) and about.model_version_id = 2 and about.sentiment = 'negative'
            and about.available_at between alerts.fired_at - interval '12 hours' and alerts.fired_at + interval '6 hours'
          order by about.negative desc limit 5) as top), '[]'))
from series
where series.id = alerts.series_id and alerts.fired_at > pg_temp.moment() - interval '30 days';
