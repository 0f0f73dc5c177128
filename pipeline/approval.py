"""The wiring of a person's yes or no to a promotion, where UNDERTOW_RETRAIN_APPROVAL asks for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline import retrain
from pipeline.challenger import model_of
from pipeline.errors import UsageError
from pipeline.run import Line, now
from pipeline.store import models, retrainings, scores
from pipeline.store.retrainings import Retraining


def approve(
    line: Line,
    run_key: str | None = None,
    *,
    as_of: datetime | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Promotes a run that waits for a person (default: the newest such). Raises UsageError when none waits."""
    row = _waiting(line, run_key)
    progress("promote")
    report = {"run_key": row.run_key, "promote": retrain.promote(line, row.run_key, as_of=as_of)}
    progress("rescore")
    report["rescore"] = retrain.rescore(line, row.run_key, as_of=as_of)
    return {**report, "state": "promoted", "report": row.report_path}


def decline(line: Line, run_key: str | None = None, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Ends a run that waits for a person (default: the newest such): the champion stays, and no later yes can promote it.

    Raises UsageError when none waits; a run that was declined before is left as it is.
    """
    before = next((row for row in _runs(line) if row.run_key == run_key), None)
    row = before if before is not None and before.declined else _waiting(line, run_key)
    if not row.declined:
        challenger = model_of(line, row.challenger_id)
        with line.engine.begin() as connection:
            retrainings.end_declined(connection, row, as_of or now())
            models.set_state(connection, challenger.version, "rejected")
            scores.dequeue_rescore(connection, challenger.id)
    return {"run_key": row.run_key, "state": "refused", "report": row.report_path}


def _waiting(line: Line, run_key: str | None) -> Retraining:
    waiting = (row for row in _runs(line) if row.state == "awaiting_approval")
    row = next((row for row in waiting if run_key in (None, row.run_key)), None)
    if row is None:
        raise UsageError("no retraining waits for approval", "`undertow retrain` begins one")
    return row


def _runs(line: Line) -> list[Retraining]:
    with line.engine.connect() as connection:
        return retrainings.list_retrainings(connection)
