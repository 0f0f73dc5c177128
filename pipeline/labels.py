"""The wiring of labels, beside `run`: from files and people into the store, and what to ask them next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.label import step
from pipeline.label.queue import parse_mix
from pipeline.label.records import Mistake, read_row
from pipeline.run import Line, ensure_champion, now


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
