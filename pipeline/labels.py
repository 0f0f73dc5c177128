"""The wiring of labels, beside `run`: from files and people into the store, and what to ask them next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.label import step
from pipeline.label.drift import estimate_accuracy, measure_drift, tell_drift
from pipeline.label.records import Mistake, read_row
from pipeline.run import Line, ensure_champion, now
from pipeline.store import drift, notifications, retrainings
from pipeline.values import parse_mix


def import_labels(
    line: Line,
    path: Path,
    *,
    by: str,
    kind: str | None = None,
    origin: str = "file",
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Stores the labels of a file. Raises InputFileError."""
    return step.import_labels(
        line.engine, path, by=by, kind=kind, origin=origin, as_of=as_of or now()
    ).as_dict()


def set_label(line: Line, row: Mapping[str, Any], *, as_of: datetime | None = None) -> dict[str, Any]:
    """Stores the labels of one row, given like a row of a file. Raises UsageError saying what is wrong with it."""
    found = list(read_row(row, 1))
    for mistake in found:
        if isinstance(mistake, Mistake):
            raise UsageError(mistake.what, "see `undertow labels set --help`")
    labels = [label for label in found if not isinstance(label, Mistake)]
    report = step.store_labels(
        line.engine, labels, by=str(row["labelled_by"]), origin="desk", as_of=as_of or now()
    )
    if report.refused:
        raise UsageError(report.mistakes[0].removeprefix("row 1: "), "`undertow labels queue` shows articles")
    return report.as_dict()


def fill_queue(line: Line, *, as_of: datetime | None = None) -> dict[str, int]:
    """Fills the labelling queue by the settings; returns what was added by reason."""
    settings = line.settings
    return step.fill_queue(
        line.engine,
        model_version_id=ensure_champion(line, as_of=as_of).id,
        mix=parse_mix(settings.label_queue_mix),
        size=settings.label_queue_articles,
        days=settings.label_queue_days,
        as_of=as_of or now(),
    )


# ---- the watch between retrainings

# The reference is the first four weeks that the champion has read (it reads five before it is promoted), the present
# the last one: a week holds every weekday once.
REFERENCE_DAYS, PRESENT_DAYS = 28, 7
# How far back the reference may lie, and random labels count, days.
MEMORY_DAYS, ACCURACY_DAYS = 180, 90


def watch(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Measures drift and the accuracy on random labels, stores both, tells the operator what moved much."""
    as_of = as_of or now()
    champion = ensure_champion(line, as_of=as_of)
    with line.engine.begin() as connection:
        found = estimate_accuracy(drift.read_checked(connection, champion.id, as_of, ACCURACY_DAYS))
        first = drift.first_read(connection, champion.id, as_of - timedelta(days=MEMORY_DAYS))
        start = as_of - timedelta(days=PRESENT_DAYS)
        if first is not None and first + timedelta(days=REFERENCE_DAYS) <= start:
            before = drift.read_period(connection, champion.id, first, first + timedelta(days=REFERENCE_DAYS))
            found += measure_drift(before, drift.read_period(connection, champion.id, start, as_of))
        written = drift.write_drift(connection, champion.id, found, as_of)
        lines = tell_drift(found, retrainings.promised_accuracy(connection, champion.id))
        if lines:
            key = f"drift:{champion.version}:{as_of:%G-%V}"
            notifications.tell_operator(
                connection, line.settings.operator_receiver, "The news has moved", lines, key, as_of
            )
    return {"model": champion.version, "lines": written, "told": lines}
