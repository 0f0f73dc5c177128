"""Counts from and to CSV, so that anybody's counts can be evaluated: `undertow detect-counts`.

Input: series, window_start, negative, and optionally other, coverage, copies. Windows of any length that divides 15
minutes; shorter ones are added up. Output: one row per series and tick.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.alerts import Circumstances, may_tell
from pipeline.detect.counts import TICK, TICKS_PER_DAY, Counts
from pipeline.detect.course import Evaluated, Moved, states
from pipeline.detect.tick import window_hours
from pipeline.errors import InputFileError

COLUMNS = ("series", "window_start", "negative")
OUTPUT = (
    "series",
    "window_start",
    "tick_at",
    "window_hours",
    "negative",
    "other",
    "expected",
    "variance",
    "p",
    "score",
    "severity",
    "state",
    "events",
)
# A window start that is missing inside the file had no stories; more years than this are taken for a wrong date.
MOST_DAYS = 3660


def read_counts(path: Path) -> tuple[Counts, bool]:
    """The counts in a CSV file, and whether it has no column `other`. Raises InputFileError naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(file, path.name)
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror})", "name a CSV file") from error
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path.name} is not UTF-8 text", "save it as UTF-8") from error


def write_ticks(file: TextIO, evaluated: Evaluated, moves: list[Moved]) -> int:
    """Writes a row per series and tick; returns how many. Events are separated by spaces, those told end with *."""
    writer = csv.writer(file)
    writer.writerow(OUTPUT)
    rows = 0
    for row in _rows(evaluated, moves):
        writer.writerow(row)
        rows += 1
    return rows


def _read(file: TextIO, name: str) -> tuple[Counts, bool]:
    reader = csv.DictReader(file)
    missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
    if missing:
        raise InputFileError(
            f"{name} has no column {', '.join(missing)}",
            "it needs series, window_start, negative, and may have other, coverage, copies",
        )
    count_only = "other" not in (reader.fieldnames or ())
    cells: dict[tuple[str, datetime], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0, 0.0])
    for row in reader:
        key, values = _cell(row, f"{name} line {reader.line_num}")
        cell = cells[key]
        for n, value in enumerate((*values, 1.0)):
            cell[n] += value
    if not cells:
        raise InputFileError(f"{name} has no rows", "give it one row per series and window")
    return _counts(cells, name), count_only


def _cell(row: dict[str, str | None], where: str) -> tuple[tuple[str, datetime], tuple[float, ...]]:
    series = (row.get("series") or "").strip()
    if not series:
        raise InputFileError(f"{where}: the series is empty", "name it")
    text = (row.get("window_start") or "").strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputFileError(
            f"{where}: {text!r} is no time", "write it as 2026-05-01T12:15:00+00:00"
        ) from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    at -= timedelta(seconds=at.timestamp() % TICK.total_seconds())
    values = tuple(
        _number(row, column, default, where)
        for column, default in (("negative", None), ("other", 0.0), ("copies", 0.0), ("coverage", 1.0))
    )
    return (series, at), values


def _number(row: dict[str, str | None], column: str, default: float | None, where: str) -> float:
    text = (row.get(column) or "").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise InputFileError(f"{where}: {column} is {text!r}", "it must be a number from 0 on")
    return value


def _counts(cells: dict[tuple[str, datetime], list[float]], name: str) -> Counts:
    times = [at for _, at in cells]
    start = min(times).replace(hour=0, minute=0, second=0, microsecond=0)
    days = (max(times) - start).days + 1
    if days > MOST_DAYS:
        raise InputFileError(f"{name} spans {days} days", "look for a wrong window_start")
    series = tuple(sorted({s for s, _ in cells}))
    index = {s: i for i, s in enumerate(series)}
    arrays = np.zeros((4, len(series), days * TICKS_PER_DAY))
    arrays[3] = 1.0
    span = {s: [days * TICKS_PER_DAY, 0] for s in series}
    for (s, at), values in cells.items():
        tick = int((at - start) / TICK)
        arrays[:3, index[s], tick] = values[:3]
        arrays[3, index[s], tick] = values[3] / values[4]
        span[s] = [min(span[s][0], tick), max(span[s][1], tick)]
    for s, (first, last) in span.items():
        arrays[3, index[s], :first] = (
            0.0  # before a series begins there is no data, inside it a gap is a zero
        )
        arrays[3, index[s], last + 1 :] = 0.0
    return Counts(start, series, arrays[0], arrays[1], arrays[3], arrays[2])


def _rows(evaluated: Evaluated, moves: list[Moved]) -> Iterator[tuple[object, ...]]:
    after = states(evaluated, moves)
    events: dict[tuple[int, int], list[str]] = defaultdict(list)
    for move in moves:
        learning = (
            evaluated.days[move.series, move.tick // TICKS_PER_DAY]
            < evaluated.crowd.rules[move.series].learn_days
        )
        told = move.change.tell and may_tell(move.change.severity, Circumstances(learning=bool(learning)))
        mark = "*" if told else ""
        events[move.series, move.tick].append(f"{move.change.kind}:{move.change.severity}{mark}")
    found = evaluated.findings
    for i, name in enumerate(evaluated.counts.series):
        rule = evaluated.crowd.rules[i]
        for tick in _span(evaluated.counts.coverage[i]):
            crossing = found.crossing[i, tick]
            severity = (
                "critical" if crossing >= rule.critical else "warning" if crossing >= rule.warning else ""
            )
            end = evaluated.tick_at(tick)
            yield (
                name,
                (end - TICK).isoformat(),
                end.isoformat(),
                window_hours(found, i, tick),
                _whole(found.negative[i, tick]),
                _whole(found.other[i, tick]),
                f"{found.expected[i, tick]:.6g}",
                f"{found.variance[i, tick]:.6g}",
                f"{found.p[i, tick]:.6g}",
                "" if found.no_data[i, tick] else f"{found.score[i, tick]:.6f}",
                "" if found.no_data[i, tick] else severity,
                after[i, tick],
                " ".join(events.get((i, tick), ())),
            )


def _span(coverage: NDArray[np.float64]) -> range:
    """Ticks from the first to the last row that the series had in the file."""
    covered = np.flatnonzero(coverage > 0)
    return range(int(covered[0]), int(covered[-1]) + 1) if len(covered) else range(0)


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else round(float(value), 3)
