"""Tells people: fills the outbox with what falls due by the clock, then sends what is due, receiver by receiver.

Receivers are told side by side, and one that does not answer ends only its own turn. See pipeline/store/notifications.py
for what makes a message neither lost nor told twice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.errors import DeliveryError, PermanentDeliveryError
from pipeline.notify.digest import digest_message
from pipeline.notify.due import write_due
from pipeline.notify.message import Message, alert_message, note_message
from pipeline.notify.retry import next_try
from pipeline.notify.senders import Senders, build_senders
from pipeline.notify.sending import Occasion, SlowDown
from pipeline.notify.view import Envelope
from pipeline.settings import Settings
from pipeline.store import notifications
from pipeline.store.engine import Connection, Engine
from pipeline.store.notifications import Claim
from pipeline.types import Report

__all__ = ["NotifyReport", "build_senders", "notify"]

# Receivers told at once; each needs two database connections of the pool's ten.
SIDE_BY_SIDE = 4
# A receiver that has not taken a message for so long is told of to the operator, once a day.
TROUBLE_AFTER = timedelta(hours=1)


@dataclass(slots=True)
class NotifyReport(Report):
    """Messages written to the outbox by the clock; sent; to be tried again; given up. Receivers another run was at."""

    written: int = 0
    sent: int = 0
    retry: int = 0
    failed: int = 0
    busy: int = 0

    def add(self, other: NotifyReport) -> None:
        for name, value in other.as_dict().items():
            setattr(self, name, getattr(self, name) + value)


def notify(engine: Engine, settings: Settings, senders: Senders, *, as_of: datetime) -> NotifyReport:
    """Sends everything that is due. Safe to run at any time, twice, and side by side.

    Raises the first unexpected error (a bug) after everybody else was told; its message stays in the outbox.
    """
    report = NotifyReport(written=write_due(engine, senders.routing, as_of))
    with engine.connect() as connection:
        receivers = notifications.due_receivers(connection, as_of)
    bugs: list[Exception] = []
    turns = [_Turn(engine, settings, senders, as_of, receiver, bugs) for receiver in receivers]
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="notify") as pool:
        for part in pool.map(_Turn.take, turns):
            report.add(part)
    if bugs:
        raise bugs[0]
    return report


@dataclass(frozen=True, slots=True)
class _Turn:
    """One receiver's turn in one run."""

    engine: Engine
    settings: Settings
    senders: Senders
    as_of: datetime
    receiver: str
    bugs: list[Exception]

    def take(self) -> NotifyReport:
        report = NotifyReport()
        with notifications.hold_receiver(self.engine, self.receiver) as mine:
            if not mine:
                return NotifyReport(busy=1)
            with self.engine.begin() as connection:
                notifications.fold(connection, self.receiver, self.as_of)
            while (claim := self._claim()) is not None:
                if not self._tell(claim, report):
                    break
        return report

    def _claim(self) -> Claim | None:
        with self.engine.begin() as connection:
            return notifications.claim(connection, self.receiver, self.as_of)

    def _tell(self, claim: Claim, report: NotifyReport) -> bool:
        """False when the receiver does not answer: its other messages wait for a later run."""
        try:
            message = self._compose(claim)
            sent = self.senders.of(self.receiver).send(message, _occasion(claim))
        except PermanentDeliveryError as error:
            self._give_up(claim, str(error))
            report.failed += 1
            return True
        except DeliveryError as error:
            self._put_off(claim, error, report)
            return False
        except Exception as error:  # noqa: BLE001 - a bug in one message must not hold back the others; raised at the end
            self.bugs.append(error)
            self._put_off(claim, error, report)
            return True
        with self.engine.begin() as connection:
            notifications.mark_sent(connection, claim, sent.external_id, self.as_of, sent.note)
        report.sent += 1
        return True

    def _compose(self, claim: Claim) -> Message:
        receiver = self.senders.routing.receivers.get(self.receiver)
        if receiver is None:
            raise DeliveryError(f"alerts.toml has no [receivers.{self.receiver}]", "name it there again")
        envelope = Envelope(
            key=claim.message_key,
            kind=claim.kind,
            receiver=self.receiver,
            zone=receiver.zone,
            made_at=claim.created_at,
            sent_at=self.as_of,
            repeated=claim.interrupted,
        )
        links = self.senders.links
        if claim.alert is not None:
            return alert_message(envelope, claim.payload, claim.alert, links)
        if claim.kind == "digest":
            return digest_message(envelope, claim.payload, links, links.desk_url)
        return note_message(envelope, claim.payload, links.desk_url)

    def _put_off(self, claim: Claim, error: Exception, report: NotifyReport) -> None:
        said = str(error) if isinstance(error, DeliveryError) else f"{type(error).__name__} in our own code"
        wait_s = error.wait_s if isinstance(error, SlowDown) else 0.0
        at = next_try(claim.key, claim.attempts + 1, claim.first_attempt_at, self.as_of, wait_s)
        if at is None:
            self._give_up(claim, said)
            report.failed += 1
            return
        with self.engine.begin() as connection:
            notifications.mark_retry(connection, claim, said, at)
            if self.as_of - claim.first_attempt_at >= TROUBLE_AFTER:
                day = f"{self.as_of:%Y-%m-%d}"
                subject = f"{self.receiver} takes no messages"
                self._tell_operator(connection, subject, f"trouble:{self.receiver}:{day}", [said])
        report.retry += 1

    def _give_up(self, claim: Claim, said: str) -> None:
        lines = [said, "`undertow notify --again` sends it after all."]
        with self.engine.begin() as connection:
            notifications.mark_failed(connection, claim, said)
            subject = f"A message to {self.receiver} was given up"
            self._tell_operator(connection, subject, f"failed:{claim.id}", lines)

    def _tell_operator(self, connection: Connection, subject: str, key: str, lines: list[str]) -> None:
        if self.settings.operator_receiver != self.receiver:
            notifications.tell_operator(
                connection, self.settings.operator_receiver, subject, lines, key, self.as_of
            )


def _occasion(claim: Claim) -> Occasion:
    return Occasion(claim.thread, claim.first_attempt_at if claim.attempts else None)
