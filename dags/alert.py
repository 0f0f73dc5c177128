"""
### Alert: notice what is unusual, and tell people

**Runs** after `scores` and every 15 minutes. **Writes** windows, spikes, alerts and their history, notifications.

- *detect* counts windows, tests every tick since the last one, follows open alerts, and puts what is to be told into
  the outbox. Red: a mistake in alerts.toml, named in its log, or the database is away. The next run catches up.
- *notify* sends what the outbox holds and is due, also when *detect* failed. A receiver that fails is tried again
  later and stops nobody: `undertow alerts list`, `undertow notify`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException
from defaults import SCORES, cron, options

from pipeline import run


@dag(
    dag_id="alert",
    schedule=cron("*/15 * * * *", SCORES),
    doc_md=__doc__,
    **options(late_after=timedelta(minutes=20)),
)
def alert() -> None:
    @task
    def detect() -> dict[str, Any]:
        with run.open_line() as line:
            return run.detect(line)

    @task(trigger_rule="all_done")
    def notify(detected: dict[str, Any] | None) -> dict[str, Any]:
        with run.open_line() as line:
            report = run.notify(line)
        if detected is None:  # the last task decides the colour of the run
            raise AirflowFailException(f"detect failed; the outbox was sent: {report}")
        return report

    notify(detect())


alert()
