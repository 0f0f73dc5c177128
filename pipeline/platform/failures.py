"""Telling the operator that a task failed or a run is late: what Airflow calls back, without importing Airflow.

The message goes into the outbox, which the alert DAG empties every quarter of an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pipeline.errors import UndertowError, redact

log = logging.getLogger(__name__)


def tell_operator(context: Mapping[str, Any]) -> None:
    """A task failed for good: the operator's receiver is told, once a day for the same task."""
    dag_id, run_id = _get(context.get("dag_run"), "dag_id"), _get(context.get("dag_run"), "run_id")
    task_id = _get(context.get("ti") or context.get("task_instance"), "task_id")
    reason = redact(str(context.get("exception") or "no exception was given"))
    _tell(
        f"{dag_id}.{task_id} failed",
        [reason, f"Run {run_id}; the task's log in Airflow has the whole story."],
    )


def tell_late(context: Mapping[str, Any], late_after_s: float) -> None:
    """A DAG run takes longer than it should; it goes on."""
    dag_id, run_id = _get(context.get("dag_run"), "dag_id"), _get(context.get("dag_run"), "run_id")
    _tell(
        f"{dag_id} is late",
        [f"Run {run_id} was not done {late_after_s / 60:.0f} minutes after it was queued."],
    )


def _get(thing: Any, name: str) -> str:
    """Airflow hands over objects to task callbacks and mappings to deadline callbacks."""
    return str(thing.get(name, "?") if isinstance(thing, Mapping) else getattr(thing, name, "?"))


def _tell(what: str, lines: list[str]) -> None:
    from pipeline import run
    from pipeline.store import notifications

    log.error("%s: %s", what, " ".join(lines))
    try:
        with run.open_line() as line, line.engine.begin() as connection:
            receiver, today = line.settings.operator_receiver, run.now()
            key = f"{what}:{today:%Y-%m-%d}"
            notifications.tell_operator(connection, receiver, f"Undertow: {what}", lines, key, today)
    except UndertowError as error:  # not to be told of a failure must not hide the failure itself
        log.error("the operator could not be told: %s", error)
