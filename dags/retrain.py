"""
### Retrain: learn from the labels, and let the gate decide

**Runs** every Sunday, after `labels`, or by hand (`force`: whatever number of labels there is). **Emits** `model`.

Each step keeps its result under the run's key: a killed or failed one goes on where it stopped when it is cleared.
The champion scores on, untouched, until *promote* switches the alias; `undertow models rollback` switches it back.
Long tasks take the pool `training`, one at a time, and the scorer's pool `gpu` stays free; both share the GPU's memory.

- *enough* ends the run when fewer than UNDERTOW_RETRAIN_MIN_LABELS labels are new.
- *prepare* keeps some fresh labels for evaluation, and writes the files to learn from and to be judged on.
- *adapt* lets the encoder read unlabelled articles, when enough have come in since the last time.
- *train* fine-tunes a candidate. Red: see its log; out of memory: lower UNDERTOW_SCORE_BATCH_STORIES, or use a GPU.
- *evaluate* compares candidate and champion on the same frozen sets, and writes the report.
- *gate* writes the report, and ends the run when the candidate is not better everywhere it must be.
- *approve* waits for a person, when UNDERTOW_RETRAIN_APPROVAL is on; a no goes on to *decline*. Red: nobody answered within
  a week; `undertow retrain --approve` or `--decline` still does.
- *promote* makes the candidate champion. Red: the champion changed meanwhile; the run is over, start a new one.
- *rescore* reads the last months with the new champion, the newest first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Metadata, Param, dag, task
from defaults import APPROVAL_WAIT, LABELS, MODEL, SETTINGS, approval_of, cron, in_training, options

from pipeline import approval, run
from pipeline import retrain as steps


@dag(
    dag_id="retrain",
    schedule=cron("0 3 * * 0", LABELS),
    doc_md=__doc__,
    params={"force": Param(False, type="boolean", description="Retrain on however few labels there are.")},
    **options(late_after=timedelta(hours=12) + APPROVAL_WAIT),
)
def retrain() -> None:
    @task.short_circuit
    def enough(params: dict[str, Any] | None = None) -> bool:
        with run.open_line() as line:
            return bool(steps.enough(line, force=bool((params or {}).get("force")))["enough"])

    @task
    def prepare(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return steps.prepare(line, run_id)

    @task(**in_training(hours=6))
    def adapt(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return steps.adapt(line, run_id)

    @task(**in_training(hours=6))
    def train(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return steps.train(line, run_id)

    @task(**in_training(hours=6))
    def evaluate(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return steps.evaluate(line, run_id)

    @task.short_circuit
    def gate(run_id: Any = None) -> bool:
        with run.open_line() as line:
            return bool(steps.gate(line, run_id)["promote"])

    @task(outlets=[MODEL])
    def promote(run_id: Any = None) -> Any:
        with run.open_line() as line:
            yield Metadata(MODEL, extra=steps.promote(line, run_id))

    @task(**in_training(hours=6))
    def rescore(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return steps.rescore(line, run_id)

    @task
    def decline(run_id: Any = None) -> dict[str, Any]:
        with run.open_line() as line:
            return approval.decline(line, run_id)

    last = enough() >> prepare() >> adapt() >> train() >> evaluate() >> gate()
    if SETTINGS.retrain_approval:
        last >>= approval_of("the candidate of {{ run_id }}", yes="promote", no="decline")
        last >> decline()
    last >> promote() >> rescore()


retrain()
