-- Labels by three people, the queue, retrainings and drift.

insert into labels (article_id, target, sentiment, labelled_by, labelled_at, origin, queue_reason, confidence)
select story.first_article_id, 'story',
       case when pg_temp.chance(story.id, 30 + person) < 0.85 then score.sentiment else 'neutral' end,
       (array['ines', 'tomasz', 'mei'])[person], story.available_at + interval '3 hours', 'desk',
       case when story.id % 3 = 0 then 'random' else 'uncertain' end, 0.9
from stories as story
join scores as score on score.story_id = story.id and score.model_version_id = 2
cross join generate_series(1, 3) as person
where story.id % 11 = 0 and (person = 1 or story.id % 33 = 0)
  and story.available_at between pg_temp.moment() - interval '20 days' and pg_temp.moment() - interval '4 hours'
limit 3000;

insert into label_queue (article_id, reason, priority, queued_at)
select story.first_article_id, (array['uncertain', 'alert', 'disputed', 'random', 'drift', 'suspect'])[1 + story.id % 6],
       pg_temp.chance(story.id, 33), pg_temp.moment() - interval '1 hour'
from stories as story
where story.id % 7 = 0 and story.id % 11 <> 0 and story.available_at > pg_temp.moment() - interval '7 days'
order by story.available_at desc
limit 500;

insert into retrainings (run_key, started_at, finished_at, state, champion_id, challenger_id, label_count, metrics, reasons) values
  ('weekly-1', pg_temp.moment() - interval '11 days', pg_temp.moment() - interval '10 days', 'promoted', 1, 2, 812,
   '{"champion": {"accuracy": 0.861, "macro_f1": 0.842}, "challenger": {"accuracy": 0.884, "macro_f1": 0.866}}',
   '["accuracy +2.3 points on the frozen sets (paired test p = 0.004)", "negative recall +3.9 points", "no kind of behaviour worse"]'),
  ('weekly-2', pg_temp.moment() - interval '3 days', pg_temp.moment() - interval '2.9 days', 'refused', 2, 3, 430,
   '{"champion": {"accuracy": 0.884, "macro_f1": 0.866}, "challenger": {"accuracy": 0.879, "macro_f1": 0.853}}',
   '["negative recall 0.821 is below the floor 0.84", "negation 71 % against 83 %"]');

insert into drift_reports (as_of, model_version_id, kind, subject, effect, detail)
select pg_temp.moment() - make_interval(days => day), 2, kind, subject, effect, detail::jsonb
from generate_series(0, 6) as day,
     (values ('input', 'all', 0.04, '{}'), ('output', 'all', 0.06, '{}'), ('input', 'feed:outlet-6', 0.31, '{"cause": "feed stopped"}'),
             ('accuracy', 'all', 0.87, '{"low": 0.82, "high": 0.91, "labels": 188}')) as report (kind, subject, effect, detail);

analyze;
