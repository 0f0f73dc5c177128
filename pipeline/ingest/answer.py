"""What a feed's server may be asked and may answer, and what its headers mean. Pure."""

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipeline.errors import FetchError


class BadAddress(FetchError):
    """The address is no http(s) address, carries a login, or uses a scheme that feeds may not."""

    retry = False


class ForbiddenAddress(FetchError):
    """The address leads to a private network that UNDERTOW_FETCH_ALLOW_PRIVATE does not name."""

    retry = False


class BadRedirect(FetchError):
    """A redirect led nowhere, round in a circle, too far, or from https to http."""


class UnknownHost(FetchError):
    """The name could not be resolved."""


class CannotConnect(FetchError):
    """The host refused or dropped the connection."""


class BadCertificate(FetchError):
    """TLS failed."""


class FetchTimeout(FetchError):
    """The deadline passed."""


class BadAnswer(FetchError):
    """What came is no HTTP, or broke off."""


class TooLarge(FetchError):
    """The body passed the cap on the wire, decoded, or in ratio."""


class OddAnswer(FetchError):
    """What came could not be judged: a fault of ours that this answer brought to light."""


class BadEncoding(FetchError):
    """The Content-Encoding is unknown, doubled, or broken."""


# Failures that a dead uplink of our own would cause, too.
NETWORK_ERRORS = frozenset({UnknownHost.__name__, CannotConnect.__name__, FetchTimeout.__name__})


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. Validators are sent byte for byte, and to `validators_url` only."""

    url: str
    user_agent: str
    etag: str | None = None
    last_modified: str | None = None
    validators_url: str | None = None


@dataclass(slots=True)
class Answer:
    """What came: an HTTP answer (`status`), or `error`. `headers` have lower-case names; `body` is decoded.

    Not `asked`: no request was made, since others to the host had failed like `error`.
    """

    url: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    body_hash: bytes | None = None
    wire_bytes: int = 0
    body_bytes: int = 0
    permanent_to: str | None = None
    error: FetchError | None = None
    duration_ms: int = 0
    asked: bool = True


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the server asks to wait: Retry-After in seconds or as a date (against the server's own clock), X-RateLimit-Reset."""
    server_now = _http_date(headers.get("date")) or now
    for name in ("retry-after", "x-ratelimit-reset"):
        value = (headers.get(name) or "").strip()
        if re.fullmatch(r"\d{1,15}(?:\.\d+)?", value):
            seconds = float(value)
            if name == "x-ratelimit-reset" and seconds > 1e8:  # a Unix time
                seconds -= server_now.timestamp()
            return timedelta(seconds=min(max(seconds, 0.0), 1e8))
        moment = _http_date(value)
        if moment:
            return max(moment - server_now, timedelta())
    return None


def max_age_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds for which the answer may be reused: Cache-Control max-age, else Expires; None if it says nothing."""
    control = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(?:store|cache)\b", control):
        return None
    match = re.search(r"\bmax-age\s*=\s*\"?(\d{1,10})", control)
    if match:
        age = re.fullmatch(r"\d{1,10}", headers.get("age", "").strip())
        return float(max(int(match[1]) - (int(age[0]) if age else 0), 0)) or None
    expires = _http_date(headers.get("expires"))
    if expires is None:
        return None
    return max((expires - (_http_date(headers.get("date")) or now)).total_seconds(), 0.0) or None


def _http_date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):  # the last: the end of the year 9999 in a zone west of UTC
        return None
