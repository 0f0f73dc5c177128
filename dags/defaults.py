"""What all DAG files share: assets, schedules, retries, and who is told when something fails.

Parsed at every task start: nothing heavy may be imported here or in a DAG file, a test watches over it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    DeadlineAlert,
    DeadlineReference,
    DeltaTriggerTimetable,
    Param,
    SyncCallback,
)
from airflow.sdk.exceptions import AirflowFailException

from pipeline import run
from pipeline.platform.failures import tell_late, tell_operator
from pipeline.settings import load_settings

SETTINGS = load_settings()

# Assets say that there is work; which work it is stands in the tables, since events may coalesce or be lost.
ARTICLES = Asset("articles", uri="undertow://articles")
SCORES = Asset("scores", uri="undertow://scores")
LABELS = Asset("labels", uri="undertow://labels")
MODEL = Asset("model", uri="undertow://model")

AS_OF = Param(
    None,
    type=["string", "null"],
    format="date-time",
    description="Do it as of this moment (UTC where no zone is given); for replays.",
)

# How long a promotion waits for a person's yes; no time at all where nobody is asked.
APPROVAL_WAIT = timedelta(days=7 if SETTINGS.retrain_approval else 0)


def every(interval_s: int) -> DeltaTriggerTimetable | None:
    """A run each `interval_s` seconds; none when schedules are off."""
    return DeltaTriggerTimetable(timedelta(seconds=interval_s)) if SETTINGS.airflow_schedules else None


def cron(expression: str, *assets: Asset) -> Any:
    """Runs by the clock (UTC) and after each update of the assets; by the assets alone when schedules are off."""
    if not SETTINGS.airflow_schedules:
        return list(assets) or None
    timetable = CronTriggerTimetable(expression, timezone="UTC")
    return AssetOrTimeSchedule(timetable=timetable, assets=list(assets)) if assets else timetable


def moment(params: dict[str, Any] | None) -> datetime | None:
    """The parameter `as_of` of a run, in UTC; None for now. What is no time fails the task for good.

    Airflow lets anything through: it does not check the parameter's format.
    """
    given = (params or {}).get("as_of")
    try:
        return run.in_utc(datetime.fromisoformat(str(given))) if given else None
    except ValueError as error:
        raise AirflowFailException(f"as_of: {given!r} is no time; write 2026-05-01T12:00Z") from error


def on_gpu(hours: int, pool: str = "gpu") -> dict[str, Any]:
    """Arguments of a task that runs the model, for at most so long. Pool `gpu` is for scoring what is new alone."""
    return {"pool": pool, "queue": SETTINGS.gpu_queue, "execution_timeout": timedelta(hours=hours)}


def in_training(hours: int) -> dict[str, Any]:
    """Arguments of a task that keeps the model busy for hours: in a pool of its own, or new stories would wait for it.

    Both pools use one device: a training shares the GPU's memory, or the cores, with the scorer.
    """
    return on_gpu(hours, pool="training")


def approval_of(what: str, *, yes: str, no: str) -> Any:
    """Task `approve`, that waits for a person's answer in Airflow and goes on with task `yes` or `no`; without one it fails."""
    from airflow.providers.standard.operators.hitl import HITLBranchOperator

    return HITLBranchOperator(
        task_id="approve",
        subject=f"Promote {what}?",
        options=["Approve", "Reject"],
        options_mapping={"Approve": yes, "Reject": no},
        response_timeout=APPROVAL_WAIT,
        retries=0,
    )


def options(late_after: timedelta) -> dict[str, Any]:
    """Arguments of every @dag. `late_after`: how long a run may take, from queueing, before the operator is told."""
    return {
        "start_date": datetime(2026, 1, 1, tzinfo=UTC),
        "catchup": False,  # each run takes all that waits, so a missed one leaves nothing undone
        "max_active_runs": 1,
        "is_paused_upon_creation": False,
        "tags": ["undertow"],
        "default_args": {
            "owner": "undertow",
            "retries": 2,
            "retry_delay": timedelta(seconds=SETTINGS.airflow_retry_delay_s),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(minutes=30),
            "on_failure_callback": tell_operator,
        },
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,  # the only one that manual and asset runs have, too
            interval=late_after,
            callback=SyncCallback(tell_late, {"late_after_s": late_after.total_seconds()}),
        ),
    }
