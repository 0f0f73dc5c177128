"""What the desk shows of feeds, and pausing one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.desk_rows import Row, fetch


def feeds(connection: Connection, as_of: datetime) -> list[Row]:
    """Each configured feed with its health and the polls of the last 24 hours."""
    return fetch(connection, "desk_feeds", as_of=as_of)


def feed(connection: Connection, feed_id: int, as_of: datetime) -> Row | None:
    """One feed with its last polls and rejects; None if there is none."""
    found = next((row for row in feeds(connection, as_of) if row["id"] == feed_id), None)
    if found is None:
        return None
    found["last_polls"] = fetch(connection, "desk_feed_polls", feed_id=feed_id)
    rejects = connection.execute(
        sa.text(
            "select seen_at, reason, detail, excerpt from article_rejects where feed_id = :id order by seen_at desc limit 10"
        ),
        {"id": feed_id},
    )
    found["rejects"] = [dict(row) for row in rejects.mappings()]
    return found


def set_paused(connection: Connection, feed_id: int, paused_at: datetime | None) -> bool:
    """Pauses polling from `paused_at` on, or resumes it (None); False if there is no such feed or nothing changes."""
    query = (
        "update feeds set paused_at = :paused_at where id = :id and removed_at is null"
        " and (paused_at is null) <> (cast(:paused_at as timestamptz) is null)"
    )
    return connection.execute(sa.text(query), {"id": feed_id, "paused_at": paused_at}).rowcount == 1
