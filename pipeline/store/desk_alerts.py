"""What the desk shows of alerts, and what people do with them there: acknowledge, silence, lift a silence."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import UsageError
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


def alert(connection: Connection, alert_id: int) -> Row | None:
    """One alert with its history, notifications and feedback; None if there is none."""
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


def silence(
    connection: Connection, series: Row | None, *, until: datetime, who: str, reason: str, as_of: datetime
) -> int:
    """Holds back notifications of a series (None: of all) until then; returns the silence's id. Raises UsageError."""
    if until <= as_of:
        raise UsageError("a silence ends after it begins", "choose a later end")
    query = (
        "insert into silences (series_kind, series_key, starts_at, ends_at, created_by, reason, created_at)"
        " values (:kind, :key, :as_of, :until, :who, :reason, :as_of) returning id"
    )
    made = connection.execute(
        sa.text(query),
        {
            "kind": series["kind"] if series else None,
            "key": series["key"] if series else None,
            "as_of": as_of,
            "until": until,
            "who": who,
            "reason": reason,
        },
    ).scalar_one()
    if series:
        _note_on_open_alert(connection, series["id"], "silence", who, {"until": until.isoformat()}, as_of)
    return int(made)


def lift_silence(connection: Connection, silence_id: int, *, who: str, as_of: datetime) -> bool:
    """Ends a silence early; False if it is over already."""
    query = (
        "update silences set cancelled_at = :as_of where id = :id and cancelled_at is null and ends_at > :as_of"
        " returning series_kind, series_key"
    )
    row = connection.execute(sa.text(query), {"id": silence_id, "as_of": as_of}).one_or_none()
    if row is None:
        return False
    series_id = connection.execute(
        sa.text("select id from series where kind = :kind and key = :key"),
        {"kind": row.series_kind, "key": row.series_key},
    ).scalar()
    if series_id is not None:
        _note_on_open_alert(connection, series_id, "unsilence", who, {"silence": silence_id}, as_of)
    return True


def _note_on_open_alert(
    connection: Connection, series_id: int, kind: str, who: str, detail: dict[str, Any], as_of: datetime
) -> None:
    query = (
        "insert into alert_events (alert_id, at, kind, severity, actor, detail)"
        " select id, :as_of, :kind, severity, :who, cast(:detail as jsonb) from alerts"
        " where series_id = :series_id and state <> 'resolved' and not is_test"
    )
    parameters = {
        "series_id": series_id,
        "kind": kind,
        "who": who,
        "detail": json.dumps(detail),
        "as_of": as_of,
    }
    connection.execute(sa.text(query), parameters)


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.text(query), parameters).mappings()]
