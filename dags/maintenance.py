"""
### Maintenance: what keeps the line healthy for years

**Runs** every night at 02:15 UTC. Each task is independent; all may run at any time and again.

- *baselines*: what is usual for each series, from the days before today. Red: alerts are tested against older ones.
- *tidy*: partitions of the months to come, retention, health of feeds.
- *back_up*: a dump of the embedded database under UNDERTOW_HOME/backups; `undertow db restore` brings one back.
  Skipped when UNDERTOW_DATABASE_URL names another server, whose administrator does that.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from defaults import SETTINGS, cron, options

from pipeline import run


@dag(
    dag_id="maintenance",
    schedule=cron("15 2 * * *"),
    doc_md=__doc__,
    **options(late_after=timedelta(hours=2)),
)
def maintenance() -> None:
    @task(execution_timeout=timedelta(hours=1))
    def baselines() -> dict[str, Any]:
        with run.open_line() as line:
            return run.build_baselines(line)

    @task
    def tidy() -> dict[str, Any]:
        with run.open_line() as line:
            return run.maintain(line)

    @task(execution_timeout=timedelta(hours=2))
    def back_up() -> str:
        from pipeline.store.backup import back_up

        if SETTINGS.database_url is not None:
            raise AirflowSkipException("the database is looked after elsewhere")
        return str(back_up(SETTINGS, as_of=run.now()))

    tidy()
    baselines()
    back_up()


maintenance()
