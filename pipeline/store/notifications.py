"""The outbox: written with the state change it tells of, claimed and marked around each send.

One notifier per receiver at a time (`hold_receiver`). A claim commits the attempt before anything is sent, so a process
that dies between sending and marking leaves a row that says so: attempts > 0 and no error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from pipeline.notify.card import AlertEvent, ToldAlert
from pipeline.notify.routes import Delivery
from pipeline.store import words
from pipeline.store.engine import sql
from pipeline.types import NotificationKind

# Characters of an error that are kept; more is a page of HTML.
ERROR_CHARS = 300


@dataclass(frozen=True, slots=True)
class Claim:
    """A notification to send now. `attempts` counts the tries before this one."""

    id: int
    kind: NotificationKind
    receiver: str
    key: str
    payload: dict[str, Any]
    created_at: datetime
    first_attempt_at: datetime
    attempts: int
    interrupted: bool
    thread: str | None
    alert: ToldAlert | None

    @property
    def message_key(self) -> str:
        """Identity of the message, 32 hex digits: the same at every try, another in every other installation."""
        made = f"{self.key}|{self.created_at.isoformat()}"
        return hashlib.sha256(made.encode()).hexdigest()[:32]


# ---- writing


def write_outbox(
    connection: Connection,
    alert_id: int,
    alert_event_id: int,
    kind: NotificationKind,
    deliveries: Iterable[Delivery],
    payload: Mapping[str, Any],
    as_of: datetime,
) -> int:
    """Adds one notification for each delivery, in the caller's transaction; the number that were new.

    The same event to the same receiver is added once, however often this is called.
    """
    keys = {f"event:{alert_event_id}:{d.receiver}": d for d in deliveries}
    return sum(
        _insert(connection, kind, key, d, payload, as_of, alert_id=alert_id, alert_event_id=alert_event_id)
        for key, d in keys.items()
    )


def write_message(
    connection: Connection,
    kind: NotificationKind,
    subject_key: str,
    deliveries: Iterable[Delivery],
    payload: Mapping[str, Any],
    as_of: datetime,
) -> int:
    """Adds a message that belongs to no alert (digest, operator, silence_end); `subject_key` names what it tells."""
    return sum(
        _insert(connection, kind, f"{kind}:{subject_key}:{d.receiver}", d, payload, as_of) for d in deliveries
    )


def tell_operator(
    connection: Connection,
    receiver: str | None,
    subject: str,
    lines: Sequence[str],
    key: str,
    as_of: datetime,
) -> int:
    """Tells the operator receiver something once per `key`; does nothing where none is set (None)."""
    if receiver is None:
        return 0
    payload = {"subject": subject, "lines": list(lines)}
    return write_message(connection, "operator", key, [Delivery(receiver, as_of)], payload, as_of)


def _insert(
    connection: Connection,
    kind: NotificationKind,
    key: str,
    delivery: Delivery,
    payload: Mapping[str, Any],
    as_of: datetime,
    alert_id: int | None = None,
    alert_event_id: int | None = None,
) -> int:
    row = {
        "alert_id": alert_id,
        "alert_event_id": alert_event_id,
        "receiver": delivery.receiver,
        "kind": kind,
        "idempotency_key": key,
        "payload": json.dumps(payload, default=_json),
        "created_at": as_of,
        "not_before_at": delivery.not_before_at,
    }
    return connection.execute(sql("notifications_insert"), row).rowcount


def _json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not go into a payload")


def told_receivers(connection: Connection, alert_id: int) -> set[str]:
    """Receivers that were told of the alert, or will be: those that hear how it goes on."""
    rows = connection.execute(
        sa.text("select distinct receiver from notifications where alert_id = :id and state <> 'failed'"),
        {"id": alert_id},
    )
    return {row.receiver for row in rows}


def withdraw_resolves(connection: Connection, alert_id: int) -> int:
    """Takes back that the alert is over where nobody was told so yet, because it is open again; the number taken back.

    What was to be told with it is told by itself again. One that is under way, or may have arrived, stays.
    """
    ids = list(connection.execute(sql("notifications_lock_resolves"), {"alert_id": alert_id}).scalars())
    if not ids:
        return 0
    # Statements of their own: only one that begins under the locks sees what a sender folded meanwhile, and deleting
    # a row deletes what is folded into it.
    for statement in (
        "update notifications set told_with_id = null where told_with_id = any(:ids)",
        "delete from notifications where id = any(:ids)",
    ):
        connection.execute(sa.text(statement), {"ids": ids})
    return len(ids)


def digest_told_until(connection: Connection, name: str) -> datetime | None:
    """Where the newest digest of this name in the outbox ends; those that were sent by hand do not count."""
    query = (
        "select max(cast(payload ->> 'end' as timestamptz)) from notifications"
        " where kind = 'digest' and starts_with(idempotency_key, :prefix)"
    )
    found: datetime | None = connection.execute(sa.text(query), {"prefix": f"digest:{name}:"}).scalar_one()
    return found


# ---- sending


def due_receivers(connection: Connection, as_of: datetime) -> list[str]:
    """Receivers for which something is due."""
    return list(connection.execute(sql("notifications_due_receivers"), {"as_of": as_of}).scalars())


@contextmanager
def hold_receiver(engine: Engine, receiver: str) -> Iterator[bool]:
    """True while this process is the only one that sends to `receiver`; False when another one is at it.

    The lock ends with its transaction, also when the process dies.
    """
    with engine.begin() as connection:
        got = connection.execute(
            sa.text("select pg_try_advisory_xact_lock(hashtextextended('notify:' || :receiver, 0))"),
            {"receiver": receiver},
        )
        yield bool(got.scalar_one())


def fold(connection: Connection, receiver: str, as_of: datetime) -> None:
    """Lets the newest due event of an alert tell the older ones too that were not tried yet, due or not.

    What opened and resolved inside quiet hours or an outage is then one message, not three; what rises to critical
    while its warning waits for the morning is told now.
    """
    connection.execute(sql("notifications_fold"), {"receiver": receiver, "as_of": as_of})


def claim(connection: Connection, receiver: str, as_of: datetime) -> Claim | None:
    """The next due notification of `receiver`, its attempt counted; None when nothing is due.

    Events of one alert go out in their order. Commit before sending.
    """
    row = connection.execute(sql("notifications_claim"), {"receiver": receiver, "as_of": as_of}).one_or_none()
    if row is None:
        return None
    connection.execute(sql("notifications_count_attempt"), {"id": row.id, "as_of": as_of})
    return Claim(
        id=row.id,
        kind=row.kind,
        receiver=row.receiver,
        key=row.idempotency_key,
        payload=row.payload,
        created_at=row.created_at,
        first_attempt_at=row.first_attempt_at or as_of,
        attempts=row.attempts,
        interrupted=row.attempts > 0 and row.error is None,
        thread=row.thread,
        alert=_told_alert(connection, row.alert_id) if row.alert_id is not None else None,
    )


def _told_alert(connection: Connection, alert_id: int) -> ToldAlert:
    row = connection.execute(sql("notifications_alert"), {"alert_id": alert_id}).one()
    events = connection.execute(
        sa.text("select kind, at, severity, actor from alert_events where alert_id = :id order by id"),
        {"id": alert_id},
    )
    told = {**row._mapping, "stands_for": tuple(row.stands_for)}
    return ToldAlert(
        **told,
        events=tuple(AlertEvent(*event) for event in events),
        words=words.of_alert(connection, alert_id),
    )


def mark_sent(
    connection: Connection, claim: Claim, external_id: str, as_of: datetime, note: str | None = None
) -> None:
    """The receiver accepted it; the first message of an alert there becomes the thread of the later ones."""
    connection.execute(
        sql("notifications_mark_sent"),
        {"id": claim.id, "external_id": external_id, "as_of": as_of, "note": _one_line(note)},
    )
    if claim.alert is not None:
        row = {"alert_id": claim.alert.id, "receiver": claim.receiver, "external_id": external_id}
        connection.execute(sql("notifications_thread"), row)


def mark_retry(connection: Connection, claim: Claim, error: str, not_before_at: datetime) -> None:
    """It was not accepted; try again at `not_before_at`."""
    connection.execute(
        sa.text("update notifications set error = :error, not_before_at = :at where id = :id"),
        {"id": claim.id, "error": _one_line(error), "at": not_before_at},
    )


def mark_failed(connection: Connection, claim: Claim, error: str) -> None:
    """It is given up, with those it was to tell; the rows stay and `requeue_failed` brings them back."""
    connection.execute(
        sa.text(
            "update notifications set state = 'failed', error = :error where id = :id or told_with_id = :id"
        ),
        {"id": claim.id, "error": _one_line(error)},
    )


def requeue_failed(connection: Connection, as_of: datetime, receiver: str | None = None) -> int:
    """Puts what was given up (for one receiver or all) back into the outbox; the number of rows."""
    return connection.execute(sql("notifications_requeue"), {"as_of": as_of, "receiver": receiver}).rowcount


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())[:ERROR_CHARS]


# ---- looking


def receiver_health(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """For each receiver: pending, sent and failed since `since`, the last error and when it last accepted something."""
    return [dict(row._mapping) for row in connection.execute(sql("notifications_health"), {"since": since})]


def ended_silences(connection: Connection, as_of: datetime) -> list[dict[str, Any]]:
    """Silences that ran out or were lifted and were not told of yet, locked; with the alerts they held back."""
    return [dict(row._mapping) for row in connection.execute(sql("silences_ended"), {"as_of": as_of})]


def mark_silence_told(connection: Connection, silence_id: int, as_of: datetime) -> None:
    connection.execute(
        sa.text("update silences set expiry_told_at = :as_of where id = :id"),
        {"id": silence_id, "as_of": as_of},
    )


def digest_figures(connection: Connection, start: datetime, end: datetime) -> dict[str, Any]:
    """What a digest tells of [start, end): alerts, the most negative series, stories, feeds in trouble."""
    span = {"start": start, "end": end}
    alerts = [dict(row._mapping) for row in connection.execute(sql("digest_alerts"), span)]
    series = [
        dict(row._mapping)
        for row in connection.execute(sql("digest_series"), {**span, "before": start - (end - start)})
    ]
    totals = dict(connection.execute(sql("digest_totals"), span).one()._mapping)
    return {"alerts": alerts, "series": series, "totals": totals}
