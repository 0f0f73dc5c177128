"""What the clock alone makes due: digests and the ends of silences, written to the outbox once each."""

from __future__ import annotations

from datetime import datetime

from pipeline.notify.digest import begin, digest_payload, is_due
from pipeline.notify.routes import Delivery, Digest, Routing, audience, send_after
from pipeline.notify.silences import silence_payload
from pipeline.store import notifications
from pipeline.store.engine import Connection, Engine


def write_due(engine: Engine, routing: Routing, as_of: datetime) -> int:
    """Writes digests that fell due and the ends of silences; the number of messages."""
    with engine.begin() as connection:
        return _write_digests(connection, routing, as_of) + _write_silence_ends(connection, routing, as_of)


def _write_digests(connection: Connection, routing: Routing, as_of: datetime) -> int:
    written = 0
    for digest in routing.digests:
        told_until = notifications.digest_told_until(connection, digest.name)
        due = is_due(digest, as_of, told_until)
        if due is None:
            continue
        key = f"{digest.name}:{due:%Y-%m-%dT%H:%M}"
        deliveries = [Delivery(name, as_of) for name in digest.receivers]
        payload = digest_until(connection, digest, due, told_until)
        written += notifications.write_message(connection, "digest", key, deliveries, payload, as_of)
    return written


def _write_silence_ends(connection: Connection, routing: Routing, as_of: datetime) -> int:
    written = 0
    for silence in notifications.ended_silences(connection, as_of):
        told = audience(routing, silence["series_kind"], silence["series_key"])
        deliveries = [Delivery(r.name, send_after(routing, r, as_of)) for r in told]
        payload = silence_payload(silence)
        key = str(silence["id"])
        written += notifications.write_message(connection, "silence_end", key, deliveries, payload, as_of)
        notifications.mark_silence_told(connection, silence["id"], as_of)
    return written


def digest_until(
    connection: Connection, digest: Digest, end: datetime, told_until: datetime | None = None
) -> dict[str, object]:
    """The payload of `digest` as if it fell due at `end`, for looking at it beforehand."""
    figures = notifications.digest_figures(connection, begin(digest, end, told_until), end)
    return digest_payload(digest, end, figures, told_until)
