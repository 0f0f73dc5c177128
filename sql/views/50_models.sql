-- Models: which version spoke when, how each retraining ended, how far the news has drifted.

create view analytics.model_history as
select version.id as model_version_id, version.version, version.created_at, parent.version as parent, version.base_model,
       version.state, champion.set_at as champion_from_at, nullif(champion.ends_at, 'infinity') as champion_until_at,
       champion.set_by, champion.reason
from model_versions as version
left join model_versions as parent on parent.id = version.parent_id
left join champion_periods as champion on champion.model_version_id = version.id;
comment on view analytics.model_history is 'Every model version, one row for each time it was champion, one row if it never was.';
comment on column analytics.model_history.model_version_id is 'The version''s key.';
comment on column analytics.model_history.version is 'The version.';
comment on column analytics.model_history.created_at is 'When it was registered, UTC.';
comment on column analytics.model_history.parent is 'The version it was trained from, or null.';
comment on column analytics.model_history.base_model is 'Name of the base encoder.';
comment on column analytics.model_history.state is 'candidate, rejected, promoted, retired.';
comment on column analytics.model_history.champion_from_at is 'When it became champion, UTC; null if it never did.';
comment on column analytics.model_history.champion_until_at is 'When another took over, UTC; null: champion now, or never was.';
comment on column analytics.model_history.set_by is 'Who made it champion.';
comment on column analytics.model_history.reason is 'Why.';

create view analytics.retrainings as
select retraining.id as retraining_id, retraining.run_key, retraining.started_at, retraining.finished_at,
       extract(epoch from retraining.finished_at - retraining.started_at)::double precision / 60 as minutes,
       retraining.state, champion.version as champion, challenger.version as challenger, retraining.label_count,
       retraining.metrics, retraining.reasons
from retrainings as retraining
left join model_versions as champion on champion.id = retraining.champion_id
left join model_versions as challenger on challenger.id = retraining.challenger_id;
comment on view analytics.retrainings is 'Each retraining: what went in, how it compared, what the gate said.';
comment on column analytics.retrainings.retraining_id is 'The retraining.';
comment on column analytics.retrainings.run_key is 'Identity of the run.';
comment on column analytics.retrainings.started_at is 'Start, UTC.';
comment on column analytics.retrainings.finished_at is 'End, UTC; null while it runs.';
comment on column analytics.retrainings.minutes is 'How long it took, minutes.';
comment on column analytics.retrainings.state is 'running, awaiting_approval, promoted, refused, skipped, failed.';
comment on column analytics.retrainings.champion is 'Champion when it began.';
comment on column analytics.retrainings.challenger is 'Version that it trained.';
comment on column analytics.retrainings.label_count is 'Labels that went in.';
comment on column analytics.retrainings.metrics is 'Champion and challenger on the same sets, JSON.';
comment on column analytics.retrainings.reasons is 'What the gate said, or that the champion changed meanwhile; JSON list of sentences.';

create view analytics.drift as
select report.as_of, version.version as model_version, report.kind, report.subject, report.effect, report.detail
from drift_reports as report
join model_versions as version on version.id = report.model_version_id;
comment on view analytics.drift is 'How far inputs and outputs have moved from the training time, and the estimated accuracy.';
comment on column analytics.drift.as_of is 'When it was measured, UTC.';
comment on column analytics.drift.model_version is 'The champion then.';
comment on column analytics.drift.kind is 'input, output, accuracy.';
comment on column analytics.drift.subject is 'all, topic:<name> or feed:<name>.';
comment on column analytics.drift.effect is 'Population stability index (below 0.1 small, above 0.25 large); for accuracy: share right, 0 to 1.';
comment on column analytics.drift.detail is 'Interval, counts, named causes; JSON.';
