"""What each tick found: the tick itself, an evaluation for every series that had anything to say, and its spikes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.engine import numbers, sql


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A series at its best window of a tick. `severity` and `alert_id` where it is a spike."""

    series_id: int
    window_hours: int
    negative: int
    other: int
    expected: float
    variance: float
    p: float
    score: float
    state: str
    severity: str | None = None
    alert_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredTick:
    """An evaluated quarter of an hour; `feeds` are those that brought more or less than it.

    `whole`: coverage of everything in it; `unseen`: that of quarters before the first tick; `unread`: part of the newest
    stories without a verdict; `series`: how many.
    """

    tick_at: datetime
    baseline_id: int | None
    model_version_id: int | None
    rule_version: str
    feeds: dict[int, float]
    whole: float
    unseen: float
    unread: float
    series: int


def last_tick(connection: Connection) -> datetime | None:
    """The newest evaluated tick, or None."""
    found: datetime | None = connection.execute(sa.text("select max(tick_at) from ticks")).scalar_one()
    return found


def take_back_ahead(connection: Connection, as_of: datetime) -> int:
    """Takes back ticks more than an hour ahead of `as_of` and of the database's clock, with what they found; how many.

    A clock that ran ahead evaluated them: until they come no tick is due, and what comes long before them is history.
    """
    return connection.execute(sql("spikes_take_back_ahead"), {"as_of": as_of}).rowcount


def first_tick(connection: Connection) -> datetime | None:
    """The oldest evaluated tick, or None."""
    found: datetime | None = connection.execute(sa.text("select min(tick_at) from ticks")).scalar_one()
    return found


def read_ticks(connection: Connection, start: datetime, end: datetime) -> list[StoredTick]:
    """Evaluated ticks in (start, end], oldest first."""
    rows = connection.execute(
        sa.text(
            "select tick_at, baseline_id, model_version_id, rule_version, details from ticks"
            " where tick_at > :start and tick_at <= :end order by tick_at"
        ),
        {"start": start, "end": end},
    )
    return [
        StoredTick(
            row.tick_at,
            row.baseline_id,
            row.model_version_id,
            row.rule_version,
            {int(feed): ratio for feed, ratio in row.details.get("feeds", {}).items()},
            float(row.details.get("whole", 1.0)),
            float(row.details.get("unseen", 1.0)),
            float(row.details.get("unread", 0.0)),
            int(row.details.get("series", 0)),
        )
        for row in rows
    ]


def save_tick(
    connection: Connection,
    *,
    tick_at: datetime,
    evaluated_at: datetime,
    baseline_id: int,
    model_version_id: int,
    rule_version: str,
    market_factor: float,
    coverage: float,
    details: Mapping[str, Any],
) -> None:
    """Closes the windows before `tick_at` for good."""
    connection.execute(
        sql("spikes_save_tick"),
        {
            "tick_at": tick_at,
            "evaluated_at": evaluated_at,
            "baseline_id": baseline_id,
            "model_version_id": model_version_id,
            "rule_version": rule_version,
            "market_factor": market_factor,
            "coverage": coverage,
            "details": json.dumps(dict(details)),
        },
    )


def read_height(
    connection: Connection, series_id: int, start: datetime, end: datetime
) -> tuple[datetime, Evaluation] | None:
    """The tick in [start, end] with the highest score of a series, the first of several, and what it found."""
    row = connection.execute(
        sa.text(
            "select tick_at, series_id, window_hours, negative, other, expected, variance, p, score, state"
            " from evaluations where series_id = :series_id and tick_at between :start and :end"
            " order by score desc, tick_at limit 1"
        ),
        {"series_id": series_id, "start": start, "end": end},
    ).one_or_none()
    return None if row is None else (row.tick_at, Evaluation(*row[1:]))


def save_evaluations(
    connection: Connection,
    tick_at: datetime,
    evaluations: Sequence[Evaluation],
    *,
    baseline_id: int,
    model_version_id: int,
    rule_version: str,
) -> int:
    """Stores the evaluations and, of those with a severity, the spikes; returns the number of spikes."""
    if not evaluations:
        return 0
    connection.execute(sql("spikes_save_evaluations"), {"tick_at": tick_at, **_columns(evaluations)})
    spikes = [e for e in evaluations if e.severity is not None]
    if spikes:
        versions = {
            "baseline_id": baseline_id,
            "model_version_id": model_version_id,
            "rule_version": rule_version,
        }
        connection.execute(sql("spikes_save"), {"tick_at": tick_at, **versions, **_columns(spikes)})
    return len(spikes)


def _columns(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    columns = {f.name: [getattr(e, f.name) for e in evaluations] for f in fields(Evaluation)}
    words = ("state", "severity")
    return {name: values if name in words else numbers(values) for name, values in columns.items()}
