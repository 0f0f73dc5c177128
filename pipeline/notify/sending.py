"""What a sender of any kind is: it takes a Message and returns when the receiver has accepted it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import unquote

from pipeline.errors import TemporaryDeliveryError, redact
from pipeline.notify.message import Message

# Seconds that connecting, and each answer after it, may take. A receiver that is slower is tried again later.
TIMEOUT_S = 20.0
# Shorter parts of an address are words like "com"; no service has tokens of less, characters.
TOKEN_CHARS = 6


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
