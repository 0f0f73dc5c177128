"""What a sender of any kind is: it takes a Message and returns when the receiver has accepted it."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from threading import Thread
from typing import Protocol, TypeVar
from urllib.parse import unquote

from pipeline.errors import TemporaryDeliveryError, redact
from pipeline.notify.message import Message

# Seconds that connecting, and each answer after it, may take. A receiver that is slower is tried again later.
TIMEOUT_S = 20.0
# Seconds for all of one message. A server may drip its answers for ever, and no single wait of TIMEOUT_S ends that;
# detect stands still meanwhile. A mail takes some ten answers; servers that slow down strangers take 5-10 s for each.
SEND_S = 120.0
# Shorter parts of an address are words like "com"; no service has tokens of less, characters.
TOKEN_CHARS = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent:
    """`external_id`: Message-ID, or channel and ts. `note`: what went wrong although it was accepted."""

    external_id: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the outbox knows of this try: the thread so far, and since when it may have arrived already."""

    thread: str | None = None
    maybe_sent_since: datetime | None = None


class Sender(Protocol):
    """One receiver."""

    def send(self, message: Message, occasion: Occasion) -> Sent:
        """Raises TemporaryDeliveryError or PermanentDeliveryError; neither shows a secret."""
        ...


class SlowDown(TemporaryDeliveryError):
    """The receiver named the time to wait, seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def in_time(send: Callable[[], T], where: str) -> T:
    """What `send` returns or raises. Raises TemporaryDeliveryError where it is not done after SEND_S.

    Nothing ends a thread: one that is given up drips on until the process ends, and its message may arrive after all.
    The next try knows, as after any other answer that did not come.
    """
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(send())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            result.set_exception(error)

    # a daemon, unlike the threads of an executor: the process ends without it
    Thread(target=work, name=f"send to {where}", daemon=True).start()
    try:
        return result.result(SEND_S)
    except TimeoutError:
        if result.done():  # the sender's own
            raise
    raise TemporaryDeliveryError(f"{where} gave no whole answer within {SEND_S:g} s")


def hide(text: object, *secrets: str | None) -> str:
    """One line of `text` without `secrets` and without anything that looks like one."""
    line = " ".join(str(text).split())
    for secret in secrets:
        if secret:
            line = line.replace(secret, "***")
    return redact(line)[:300]


def secrets_in(url: str) -> list[str]:
    """The address and every part of it that may be a token, the longest first; plugins build other addresses of them."""
    parts = {part for text in (url, unquote(url)) for part in re.split(r"[/:@?&=,#]+", text)[1:]}
    return sorted({url, *(part for part in parts if len(part) >= TOKEN_CHARS)}, key=len, reverse=True)
