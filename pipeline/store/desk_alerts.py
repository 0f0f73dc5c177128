"""What the desk shows of alerts and silences, and the lifting of a silence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.alerts import add_event
from pipeline.store.desk_rows import Row, fetch


def alerts(
    connection: Connection,
    *,
    limit: int,
    is_open: bool | None = None,
    after_id: int | None = None,
    series_id: int | None = None,
    severity: str | None = None,
    since: datetime | None = None,
    as_of: datetime | None = None,
) -> list[Row]:
    """Alerts, the newest first."""
    return fetch(
        connection,
        "desk_alerts",
        limit=limit,
        open=is_open,
        after_id=after_id,
        series_id=series_id,
        severity=severity,
        since=since,
        as_of=as_of,
    )


def firing(connection: Connection, limit: int) -> list[Row]:
    """Alerts that fire or are held, the worst first, then the newest; those folded into another and tests last."""
    return fetch(connection, "desk_alerts_firing", limit=limit)


def count_pending(connection: Connection) -> int:
    """Series that crossed once and are watched, tests apart."""
    query = "select count(*) from alerts where state = 'pending' and not is_test"
    return int(connection.execute(sa.text(query)).scalar_one())


def alert(connection: Connection, alert_id: int) -> Row | None:
    """One alert with its history, notifications, feedback and the alerts it stands for; None if there is none."""
    # ids run down from the one before: the page that starts there has it first
    found = fetch(
        connection,
        "desk_alerts",
        limit=1,
        open=None,
        after_id=alert_id + 1,
        series_id=None,
        severity=None,
        since=None,
        as_of=None,
    )
    if not found or found[0]["id"] != alert_id:
        return None
    row = found[0]
    row["events"] = fetch(connection, "desk_alert_events", alert_id=alert_id)
    row["notifications"] = _rows(
        connection,
        "select receiver, kind, state, created_at, sent_at, attempts, error from notifications where alert_id = :id order by id",
        id=alert_id,
    )
    row["stands_for"] = _rows(
        connection,
        "select folded.id, series.kind, series.key, series.title, folded.severity, folded.state from alerts as folded"
        " join series on series.id = folded.series_id where folded.inhibited_by = :id"
        " order by folded.peak_score desc, folded.id",
        id=alert_id,
    )
    row["feedback"] = _rows(
        connection,
        "select kind, given_by, given_at, via, note, story_id from feedback where alert_id = :id order by id",
        id=alert_id,
    )
    return row


def silences(connection: Connection, as_of: datetime) -> list[Row]:
    """Silences in force or to come."""
    return _rows(
        connection,
        "select silence.*, series.title, series.id as series_id from silences as silence left join series"
        " on series.kind = silence.series_kind and series.key = silence.series_key"
        " where cancelled_at is null and ends_at > :as_of order by ends_at",
        as_of=as_of,
    )


def lift_silence(connection: Connection, silence_id: int, *, who: str, as_of: datetime) -> bool:
    """Ends a silence early, so that the notifier tells of its end; False if it is over already."""
    query = (
        "update silences set cancelled_at = :as_of,"
        " ends_at = case when starts_at < :as_of then :as_of else ends_at end"
        " where id = :id and cancelled_at is null and ends_at > :as_of returning series_kind, series_key"
    )
    row = connection.execute(sa.text(query), {"id": silence_id, "as_of": as_of}).one_or_none()
    if row is None:
        return False
    query = (
        "select alert.id, alert.severity from alerts as alert join series on series.id = alert.series_id"
        " where alert.state <> 'resolved' and not alert.is_test and series.kind = :kind and series.key = :key"
    )
    found = connection.execute(sa.text(query), {"kind": row.series_kind, "key": row.series_key})
    for open_alert in found.all():
        add_event(
            connection,
            open_alert.id,
            as_of,
            "unsilence",
            open_alert.severity,
            {"silence": silence_id},
            actor=who,
        )
    return True


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.text(query), parameters).mappings()]
