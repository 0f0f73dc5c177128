"""Tables of schema `analytics` to take away: any view as rows, bounded in time and number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import UsageError

# View -> the column that orders it and bounds it in time (None: small, given whole).
VIEWS: dict[str, str | None] = {
    "series": None,
    "sentiment_15min": "start_at",
    "sentiment_hourly": "start_at",
    "sentiment_daily": "start_at",
    "sentiment_daily_expected": "start_at",
    "evaluations": "tick_at",
    "scored_stories": "available_at",
    "story_companies": "available_at",
    "story_topics": "available_at",
    "mentions": "available_at",
    "articles": "available_at",
    "article_revisions": "seen_at",
    "spikes": "tick_at",
    "alerts": "pending_at",
    "alert_events": "at",
    "alert_feedback": "given_at",
    "notifications": "created_at",
    "feed_health": None,
    "feed_days": "start_at",
    "waiting_stories": None,
    "model_history": "created_at",
    "retrainings": "started_at",
    "drift": "as_of",
    "labels": "labelled_at",
    "label_agreement": None,
}
HIDDEN = {"search"}  # a full-text vector is of no use in a file
BATCH_ROWS = 2_000


def columns(connection: Connection, view: str) -> list[str]:
    """Names of the columns that an export of `view` has. Raises UsageError for an unknown view."""
    if view not in VIEWS:
        raise UsageError(f"there is no table {view!r}", f"one of {', '.join(VIEWS)}")
    found = sa.inspect(connection).get_columns(view, schema="analytics")
    return [column["name"] for column in found if column["name"] not in HIDDEN]


def describe(connection: Connection) -> list[dict[str, Any]]:
    """Every view with its comment and its columns with theirs: the dictionary for analysts."""
    inspector = sa.inspect(connection)
    return [
        {
            "name": view,
            "comment": inspector.get_table_comment(view, schema="analytics")["text"],
            "columns": [
                {"name": column["name"], "type": str(column["type"]), "comment": column["comment"]}
                for column in inspector.get_columns(view, schema="analytics")
            ],
        }
        for view in VIEWS
    ]


def read_view(
    connection: Connection,
    view: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> tuple[list[str], Iterator[list[tuple[Any, ...]]]]:
    """Columns and batches of rows of `view` in [since, until), the newest first. Raises UsageError.

    The rows come from a server-side cursor: read them before the connection closes.
    """
    names = columns(connection, view)
    time_column = VIEWS[view]
    table = sa.table(view, *[sa.column(name) for name in names], schema="analytics")
    query = sa.select(*table.c).limit(limit)
    if time_column is not None:
        at = table.c[time_column]
        query = query.order_by(at.desc())
        query = query.where(at >= since) if since else query
        query = query.where(at < until) if until else query
    result = connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS).execute(query)
    return names, ([tuple(row) for row in part] for part in result.partitions(BATCH_ROWS))
