"""What drift is measured on, and the reports of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.label.drift import Checked, Drift, Period, Seen
from pipeline.store.engine import sql

# Stories of a period that are looked at; more moves an index by less than 0.01.
MOST_STORIES = 20_000


def first_read(connection: Connection, model_version_id: int, since: datetime) -> datetime | None:
    """When the oldest story since then arrived that the version has read, or None."""
    query = (
        "select min(story.available_at) from scores as score join stories as story on story.id = score.story_id"
        " where score.model_version_id = :id and story.available_at >= :since"
    )
    found: datetime | None = connection.execute(
        sa.text(query), {"id": model_version_id, "since": since}
    ).scalar_one()
    return found


def read_period(connection: Connection, model_version_id: int, start: datetime, end: datetime) -> Period:
    """Stories of [start, end) that the version has read."""
    values = {"model_version_id": model_version_id, "start": start, "end": end, "limit": MOST_STORIES}
    rows = connection.execute(sql("drift_stories"), values)
    stories = tuple(
        Seen(row.feed, row.words, float(row.digits), row.topic, row.sentiment, row.confidence) for row in rows
    )
    return Period(start, end, stories)


def read_checked(connection: Connection, model_version_id: int, as_of: datetime, days: int) -> list[Checked]:
    """Random labels of the last `days` beside the version's verdicts."""
    values = {"model_version_id": model_version_id, "since": as_of - timedelta(days=days), "as_of": as_of}
    return [
        Checked(row.feed, row.topic, row.is_right) for row in connection.execute(sql("drift_checked"), values)
    ]


def write_drift(
    connection: Connection, model_version_id: int, found: Sequence[Drift], as_of: datetime
) -> int:
    """Stores a report; the same moment again changes nothing. Returns the lines that were new."""
    statement = sa.text(
        "insert into drift_reports (as_of, model_version_id, kind, subject, effect, detail)"
        " values (:as_of, :model, :kind, :subject, :effect, cast(:detail as jsonb)) on conflict do nothing"
    )
    rows: list[dict[str, Any]] = [
        {
            "as_of": as_of,
            "model": model_version_id,
            "kind": drift.kind,
            "subject": drift.subject,
            "effect": drift.effect,
            "detail": json.dumps(drift.detail),
        }
        for drift in found
    ]
    return sum(connection.execute(statement, row).rowcount for row in rows)
