"""Alerts, their history and what people do about them. What detect changes, it changes in the transaction of its tick."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.engine import sql


@dataclass(frozen=True, slots=True)
class StoredEpisode:
    """An alert that goes on, or that may be reopened. `shown_at`: its last opening or rise, event `shown_event_id`;
    a reopening that was told, or came before anybody was told, is one too. `learning`: it was held back then, and its
    series was still learning."""

    id: int
    series_id: int
    memory: dict[str, Any]
    told: bool
    silenced: bool
    learning: bool
    inhibited_by: int | None
    cause: str | None
    model_version_id: int | None
    shown_event_id: int | None
    shown_at: datetime | None

    @property
    def doubted(self) -> bool:
        """Not told for a cause that is no news or too short a history. What a silence held back is told of at its
        end, what another alert stands for once it has news of its own."""
        untold = not (self.told or self.silenced) and self.inhibited_by is None
        return untold and (self.learning or self.cause not in (None, "market_wide"))


@dataclass(frozen=True, slots=True)
class Silence:
    """Series (None: any) whose alerts are not told in [starts_at, ends_at)."""

    series_kind: str | None
    series_key: str | None
    starts_at: datetime
    ends_at: datetime

    def covers(self, kind: str, key: str, at: datetime) -> bool:
        return (
            self.series_kind in (None, kind)
            and self.series_key in (None, key)
            and self.starts_at <= at < self.ends_at
        )


# ---- what detect reads and writes


def read_episodes(connection: Connection, since: datetime) -> list[StoredEpisode]:
    """Of each series the open alert, or the newest one resolved since then."""
    rows = connection.execute(sql("alerts_episodes"), {"since": since})
    return [StoredEpisode(**row._mapping) for row in rows]


def insert_alert(
    connection: Connection,
    series_id: int,
    state: str,
    severity: str,
    pending_at: datetime,
    peak_score: float,
    rule_version: str,
    model_version_id: int | None,
    *,
    is_test: bool = False,
) -> int:
    """A new alert; the unique index lets one be open per series."""
    parameters = {
        "series_id": series_id,
        "state": state,
        "severity": severity,
        "pending_at": pending_at,
        "peak_score": peak_score,
        "rule_version": rule_version,
        "model_version_id": model_version_id,
        "is_test": is_test,
    }
    return int(connection.execute(sql("alerts_insert"), parameters).scalar_one())


def update_alert(connection: Connection, alert_id: int, memory: Mapping[str, Any], tick_at: datetime) -> None:
    """Brings the row in line with the episode, whose fields `memory` holds."""
    parameters = {
        "id": alert_id,
        "tick_at": tick_at,
        "memory": json.dumps(dict(memory)),
        "peak_score": memory["peak"],
        **{
            name: memory[name]
            for name in ("state", "severity", "fired_at", "last_crossed_at", "resolved_at", "reopened")
        },
    }
    connection.execute(sql("alerts_update"), parameters)


def set_circumstances(
    connection: Connection,
    alert_id: int,
    *,
    told: bool,
    silenced: bool,
    cause: str | None,
    inhibited_by: int | None,
    evidence: Mapping[str, Any],
) -> None:
    """What held when it opened or rose: whether it was told, why not, and the evidence."""
    parameters = {
        "id": alert_id,
        "told": told,
        "silenced": silenced,
        "cause": cause,
        "inhibited_by": inhibited_by,
        "evidence": json.dumps(dict(evidence)),
    }
    connection.execute(sql("alerts_circumstances"), parameters)


def set_height(connection: Connection, alert_id: int, evidence: Mapping[str, Any]) -> None:
    """Keep the evidence of an alert's highest tick, where it was higher than what was shown of it."""
    connection.execute(
        sa.text(
            "update alerts set evidence = cast(:evidence as jsonb) where id = :id"
            " and coalesce(cast(evidence ->> 'score' as double precision), -1) < :score"
        ),
        {"id": alert_id, "score": evidence["score"], "evidence": json.dumps(dict(evidence))},
    )


def add_event(
    connection: Connection,
    alert_id: int,
    at: datetime,
    kind: str,
    severity: str | None,
    detail: Mapping[str, Any],
    actor: str = "detect",
) -> int:
    """One line of the history; returns its id."""
    query = sa.text(
        "insert into alert_events (alert_id, at, kind, severity, actor, detail)"
        " values (:alert_id, :at, :kind, :severity, :actor, cast(:detail as jsonb)) returning id"
    )
    parameters = {
        "alert_id": alert_id,
        "at": at,
        "kind": kind,
        "severity": severity,
        "actor": actor,
        "detail": json.dumps(dict(detail)),
    }
    return int(connection.execute(query, parameters).scalar_one())


def active_silences(connection: Connection, at: datetime) -> list[Silence]:
    """Silences in force at a time, which do not end before this transaction does.

    One whose end was told holds back nothing any more, although a late tick may lie before that end.
    """
    rows = connection.execute(sql("silences_active"), {"at": at})
    return [Silence(*row) for row in rows]


def read_stories(
    connection: Connection, series_id: int, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Live stories of a series counted in [start, end), negative ones first, surest first."""
    rows = connection.execute(sql("alerts_stories"), {"series_id": series_id, "start": start, "end": end})
    return [dict(row._mapping) for row in rows]


def read_carriers(connection: Connection, series_id: int, story_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Other series for which these stories are negative, with how many."""
    rows = connection.execute(sql("alerts_carriers"), {"series_id": series_id, "story_ids": list(story_ids)})
    return [dict(row._mapping) for row in rows]


def count_sources(connection: Connection, story_ids: Sequence[int]) -> int:
    """Distinct outlets among all articles of these stories."""
    query = sa.text(
        "select count(distinct source) from articles where story_id = any(cast(:ids as bigint[]))"
    )
    return int(connection.execute(query, {"ids": list(story_ids)}).scalar_one())


def read_shared(
    connection: Connection, story_ids: Sequence[int], series_ids: Sequence[int]
) -> list[tuple[int, int, datetime]]:
    """Which of the stories are negative for which of the series: (series, story, window it counted in)."""
    parameters = {"story_ids": list(story_ids), "series_ids": list(series_ids)}
    return [tuple(row) for row in connection.execute(sql("alerts_shared"), parameters)]


def read_feed_age(connection: Connection) -> tuple[datetime | None, int]:
    """When the oldest feed that is polled was added, and how many there are."""
    row = connection.execute(
        sa.text(
            "select min(added_at) as oldest, count(*) as number from feeds"
            " where enabled and paused_at is null and origin <> 'import' and removed_at is null"
        )
    ).one()
    return row.oldest, row.number


def read_chart(connection: Connection, series_id: int, start: datetime, end: datetime) -> dict[datetime, int]:
    """Live negative stories per hour of [start, end); empty hours are missing."""
    rows = connection.execute(sql("alerts_chart"), {"series_id": series_id, "start": start, "end": end})
    return {row.hour: int(row.negative) for row in rows}


def read_opened(connection: Connection, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Alerts that fired in [start, end), each with what people said of it last."""
    rows = connection.execute(sql("alerts_opened"), {"start": start, "end": end})
    return [dict(row._mapping) for row in rows]


def read_history_lines(connection: Connection, start: datetime, end: datetime) -> list[str]:
    """Every change that detect made to an alert in (start, end], one line each, in order."""
    rows = connection.execute(sql("alerts_history"), {"start": start, "end": end})
    return sorted(
        f"{row.at.isoformat()} {row.series_kind}/{row.key} {row.kind} {row.severity}"
        f" {row.detail['negative']} {row.detail['other']} {row.detail['expected']:.6g}"
        for row in rows
    )


# ---- what people see and do


def list_alerts(
    connection: Connection, *, open_only: bool | None = None, since: datetime | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Alerts, open ones first, then the newest."""
    rows = connection.execute(sql("alerts_list"), {"open": open_only, "since": since, "limit": limit})
    return [dict(row._mapping) for row in rows]


def show_alert(connection: Connection, alert_id: int) -> dict[str, Any] | None:
    """One alert with its evidence, history and notifications, or None."""
    row = connection.execute(
        sa.text(
            "select alert.*, series.kind, series.key, series.title from alerts alert"
            " join series on series.id = alert.series_id where alert.id = :id"
        ),
        {"id": alert_id},
    ).one_or_none()
    if row is None:
        return None
    events = connection.execute(
        sa.text(
            "select at, kind, severity, actor, detail from alert_events where alert_id = :id order by id"
        ),
        {"id": alert_id},
    )
    sent = connection.execute(
        sa.text(
            "select receiver, kind, state, created_at, sent_at, attempts, error from notifications"
            " where alert_id = :id order by id"
        ),
        {"id": alert_id},
    )
    return {
        **row._mapping,
        "events": [dict(e._mapping) for e in events],
        "notifications": [dict(n._mapping) for n in sent],
    }


def acknowledge(connection: Connection, alert_id: int, by: str, as_of: datetime) -> bool:
    """Notes who takes an open alert, until it resolves; False where it is not open. Again changes nothing."""
    changed = connection.execute(
        sa.text(
            "update alerts set acknowledged_at = :as_of, acknowledged_by = :by"
            " where id = :id and state <> 'resolved' and acknowledged_by is distinct from :by returning severity"
        ),
        {"id": alert_id, "by": by, "as_of": as_of},
    ).one_or_none()
    if changed is not None:
        add_event(connection, alert_id, as_of, "acknowledge", changed.severity, {}, actor=by)
        return True
    query = sa.text("select state <> 'resolved' from alerts where id = :id")
    return bool(connection.execute(query, {"id": alert_id}).scalar())


def silence(
    connection: Connection,
    kind: str | None,
    key: str | None,
    duration: timedelta,
    by: str,
    reason: str,
    as_of: datetime,
) -> int:
    """Holds back what alerts of a series (None: of any) would tell from now on; returns the silence's id."""
    query = sa.text(
        "insert into silences (series_kind, series_key, starts_at, ends_at, created_by, reason, created_at)"
        " values (:kind, :key, :as_of, :ends_at, :by, :reason, :as_of) returning id"
    )
    parameters = {
        "kind": kind,
        "key": key,
        "ends_at": as_of + duration,
        "by": by,
        "reason": reason,
        "as_of": as_of,
    }
    silence_id = int(connection.execute(query, parameters).scalar_one())
    open_alerts = connection.execute(
        sa.text(
            "select a.id, a.severity from alerts a join series s on s.id = a.series_id"
            " where a.state <> 'resolved' and not a.is_test"
            " and (cast(:kind as text) is null or s.kind = :kind) and (cast(:key as text) is null or s.key = :key)"
        ),
        {"kind": kind, "key": key},
    )
    for row in open_alerts.all():
        until = (as_of + duration).isoformat()
        add_event(connection, row.id, as_of, "silence", row.severity, {"until": until}, actor=by)
    return silence_id
