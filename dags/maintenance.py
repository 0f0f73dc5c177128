"""
### Maintenance: what keeps the line healthy for years

**Runs** every night at 02:15 UTC. **Emits** `labels` when there are enough new ones to learn from.
Each task may run at any time, and again. They are independent of each other, but *back_up* begins after *tidy*, well or
not: a dump holds tables that tidy needs for a moment. *night* does nothing; it is red where one of the two is.

- *baselines*: what is usual for each series, from the days before today. Red: alerts are tested against older ones.
- *tidy*: partitions of the months to come, retention, health of feeds. *forget_runs*: what Airflow keeps of old runs.
- *watch*: drift, and the accuracy on random labels; the operator is told of what moved much.
- *queue*: which articles to label next. *labels*: are there enough new ones? Then `retrain` starts.
- *overlap*: the champion before reads on for UNDERTOW_RETRAIN_OVERLAP_DAYS, whenever the pool `training` is free.
- *back_up*: a dump of the embedded database under UNDERTOW_HOME/backups; `undertow db restore` brings one back.
  Skipped when UNDERTOW_DATABASE_URL names another server, whose administrator does that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from defaults import LABELS, SETTINGS, cron, in_training, options

from pipeline import labels as labelling
from pipeline import retrain, run
from pipeline.platform.bygone import forget_runs


@dag(
    dag_id="maintenance",
    schedule=cron("15 2 * * *"),
    doc_md=__doc__,
    **options(late_after=timedelta(hours=6)),
)
def maintenance() -> None:
    @task
    def baselines() -> dict[str, Any]:
        with run.open_line() as line:
            return run.build_baselines(line)

    @task
    def tidy() -> dict[str, Any]:
        with run.open_line() as line:
            return run.maintain(line)

    @task
    def watch() -> dict[str, Any]:
        with run.open_line() as line:
            return labelling.watch(line)

    @task
    def queue() -> dict[str, int]:
        with run.open_line() as line:
            return labelling.fill_queue(line)

    @task(outlets=[LABELS])
    def labels() -> dict[str, Any]:
        with run.open_line() as line:
            found = retrain.enough(line)
        if not found["enough"]:
            raise AirflowSkipException(
                f"{found['new_labels']} new labels, {found['needed']} make it worth it"
            )
        return found

    @task(**in_training(hours=4))
    def overlap() -> dict[str, Any]:
        with run.open_line() as line:
            return retrain.overlap(line)

    @task(execution_timeout=timedelta(hours=2), trigger_rule="all_done")
    def back_up() -> str:
        from pipeline.store.backup import back_up

        if SETTINGS.database_url is not None:
            raise AirflowSkipException("the database is looked after elsewhere")
        return str(back_up(SETTINGS, as_of=run.now()))

    for work in (baselines, task(forget_runs), watch, queue, labels, overlap):
        work()
    tidied, backed_up = tidy(), back_up()
    # A run is as good as its last tasks: without one after both, a backup would hide that tidy failed.
    tidied >> backed_up
    [tidied, backed_up] >> EmptyOperator(task_id="night", trigger_rule="none_failed")


maintenance()
