"""
### Score: the champion model reads the stories that wait

**Runs** after `articles`, and every hour for what an event missed. **Writes** scores. **Emits** `scores`.

- *share* counts what waits and divides it among the workers of pool `gpu`, which no training uses; it is skipped when
  nothing waits.
- *score* claims batches from the table until its share is done. A worker that dies loses its claims to the next one,
  so trying again is always safe. Red: the model cannot be loaded (`undertow doctor` says why), its device has no
  memory left or is broken, or the database is away or cannot be written. The stories go on waiting.
- *publish* tells the alert DAG that there are new scores.

A backlog after an outage: `undertow score --backlog` works beside this DAG.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Metadata, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from defaults import ARTICLES, SCORES, SETTINGS, cron, on_gpu, options

from pipeline import run


@dag(
    dag_id="score",
    schedule=cron("7 * * * *", ARTICLES),
    doc_md=__doc__,
    **options(late_after=timedelta(hours=1)),
)
def score() -> None:
    @task
    def share() -> list[int]:
        with run.open_line() as line:
            waiting, _ = run.backlog(line)
        waiting = min(waiting, SETTINGS.score_run_stories)
        if not waiting:
            raise AirflowSkipException("nothing waits")
        # one model load costs 2 s: a second worker only for a full batch of its own
        workers = min(SETTINGS.gpu_slots, -(-waiting // SETTINGS.score_batch_stories))
        return [-(-waiting // workers)] * workers

    @task(**on_gpu(hours=2))
    def score(limit: int) -> dict[str, Any]:
        with run.open_line() as line:
            return run.score(line, limit)

    @task(outlets=[SCORES])
    def publish(reports: list[dict[str, Any]]) -> Any:
        scored = sum(report["scored"] for report in reports)
        if not scored:
            raise AirflowSkipException("others scored it already")
        yield Metadata(SCORES, extra={"scored": scored})

    publish(score.expand(limit=share()))


score()
