"""
### History: a new champion reads what is there already

**Runs** every hour; it is skipped when nothing waits. **Writes** scores and baselines.

A promotion by hand, or a new starter that came with an upgrade, queues the stories of the last UNDERTOW_RESCORE_DAYS
for the new champion. Until it has read them, its baselines are thin: series are learning, and only what is critical is
told. The retraining's own promotion is worked off by `retrain`.

- *waits* counts the champion's queue.
- *read* works it off, the newest first, in the pool `training`, beside the scorer; what a kill leaves is read an hour
  later. Then it builds the champion's baselines. Red: the model cannot be loaded (`undertow doctor` says why), or there
  is more than six hours' work: the next run goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from defaults import cron, in_training, options

from pipeline import run


@dag(
    dag_id="history",
    schedule=cron("37 * * * *"),
    doc_md=__doc__,
    **options(late_after=timedelta(hours=8)),
)
def history() -> None:
    @task
    def waits() -> int:
        with run.open_line() as line:
            waiting, _ = run.backlog(line, run.ensure_champion(line).version)
        if not waiting:
            raise AirflowSkipException("the champion has read all that is there")
        return waiting

    @task(**in_training(hours=6))
    def read() -> dict[str, Any]:
        with run.open_line() as line:
            return run.read_history(line)

    waits() >> read()


history()
