"""When a feed is polled next, and the sentence that says why. Pure; time comes in.

`next_due` answers after every attempt; `undertow feeds why` prints its reason. No rule here ever says never: a feed
that fails is still tried once a day, because a feed that was silently given up is news that nobody missed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(hours=24)
# The gap of a feed that is not known yet. Half of it, half an hour, is how most aggregators poll.
UNKNOWN_GAP = timedelta(hours=1)
# Half the usual gap finds an item after a quarter of the gap on average; polling faster costs more than it finds.
GAP_SHARE = 0.5
GAP_ITEMS = 20
# A feed that speaks once a month is still asked every hour: a conditional GET is cheap, a late rate decision is not.
GAP_CAP = timedelta(minutes=60)
# What a feed may ask for by ttl, sy:update* and Cache-Control; publishers' generators default to a day without meaning it.
HINT_CAP = timedelta(minutes=60)
MAX_AGE_CAP = timedelta(hours=24)
# Shares by which polls are put off, and by which waits after errors differ either way: feeds spread over time.
JITTER = 0.1
BACKOFF_JITTER = 0.2
# The wait after the first error in a row; it doubles with each further one, up to a day.
BACKOFF_BASE = timedelta(minutes=5)
BACKOFF_DOUBLINGS = 10
RETRY_AFTER_CAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Hints:
    """What the last answer asked for. Seconds; hours are UTC hours 0-23, days are English names in lower case."""

    ttl_s: float | None = None
    max_age_s: float | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of a feed: its name (fixes its phase), the user's floor, its usual gap, errors in a row."""

    name: str
    min_interval: timedelta
    median_gap: timedelta | None = None
    error_count: int = 0
    hints: Hints = field(default_factory=Hints)


@dataclass(frozen=True, slots=True)
class Due:
    """When to poll next, and the rule that says so, in words."""

    at: datetime
    reason: str


def next_due(pace: Pace, now: datetime, *, failed: bool = False, retry_after: timedelta | None = None) -> Due:
    """The next poll after an attempt at `now`. `retry_after` is what a 429 or 503 asked for."""
    if failed or retry_after is not None:
        return _after_failure(pace, now, retry_after)
    interval, reason = _interval(pace)
    interval = max(SHORTEST, min(interval, LONGEST))
    at = now + interval * (1 + JITTER * _phase(pace.name, now))
    return _outside_skipped(Due(at, reason), pace.hints, now)


def host_rest(now: datetime, retry_after: timedelta | None) -> Due:
    """When a host that answered 429 may be asked again. What it did not say is short: a feed's own back-off is not its
    host's wish, and the host's other feeds may be welcome."""
    if retry_after:
        asked = min(retry_after, RETRY_AFTER_CAP)
        return Due(now + asked, f"a 429 asked to wait {_say(asked)} (Retry-After)")
    return Due(now + BACKOFF_BASE, f"a 429 that did not say how long; {_say(BACKOFF_BASE)} for all its feeds")


def usual_gap(published: Sequence[datetime]) -> timedelta | None:
    """Median gap of the newest 20 items, None for fewer than three; items of one second count once."""
    moments = sorted(set(published), reverse=True)[: GAP_ITEMS + 1]
    if len(moments) < 3:
        return None
    gaps = [(newer - older).total_seconds() for newer, older in pairwise(moments)]
    return timedelta(seconds=median(gaps))


def _interval(pace: Pace) -> tuple[timedelta, str]:
    """The longest of what is wanted of us, and whose wish it was."""
    gap = pace.median_gap or UNKNOWN_GAP
    adaptive = min(max(gap * GAP_SHARE, timedelta(minutes=5)), GAP_CAP)
    known = (
        f"half its usual gap of {_say(gap)}, between 5 min and {_say(GAP_CAP)}"
        if pace.median_gap
        else "its usual gap is not known yet"
    )
    wishes = [
        (adaptive, known),
        (pace.min_interval, f"min_interval_s is {_say(pace.min_interval)}"),
    ]
    if pace.hints.ttl_s:
        wishes.append(
            (
                min(timedelta(seconds=pace.hints.ttl_s), HINT_CAP),
                f"the feed asks for {_say_s(pace.hints.ttl_s)} (ttl, capped at {_say(HINT_CAP)})",
            )
        )
    if pace.hints.max_age_s:
        wishes.append(
            (
                min(timedelta(seconds=pace.hints.max_age_s), MAX_AGE_CAP),
                f"Cache-Control max-age is {_say_s(pace.hints.max_age_s)}",
            )
        )
    return max(wishes, key=lambda wish: wish[0])


def _after_failure(pace: Pace, now: datetime, retry_after: timedelta | None) -> Due:
    doublings = min(max(pace.error_count - 1, 0), BACKOFF_DOUBLINGS)
    base = max(BACKOFF_BASE, pace.min_interval)
    jitter = 1 + BACKOFF_JITTER * (2 * _phase(pace.name, now) - 1)
    # Capped twice: first, so that feeds that fail for long spread too; last, because a day is what is promised.
    backoff = min(min(base * 2**doublings, LONGEST) * jitter, LONGEST)
    asked = min(retry_after or timedelta(), RETRY_AFTER_CAP)
    if pace.hints.max_age_s and retry_after is not None:
        asked = max(asked, min(timedelta(seconds=pace.hints.max_age_s), MAX_AGE_CAP))
    if asked > backoff:
        return Due(now + asked, f"the server asked to wait {_say(asked)} (Retry-After)")
    return Due(
        now + backoff,
        f"{_count(pace.error_count, 'error')} in a row, backing off {_say(backoff)}; at least one try a day",
    )


def _outside_skipped(due: Due, hints: Hints, now: datetime) -> Due:
    """Move out of skipHours and skipDays, but never past a day from now."""
    at, limit = due.at, now + LONGEST
    while _is_skipped(at, hints) and at < limit:
        at = (at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    if at == due.at or at >= limit:
        return (
            due
            if at == due.at
            else Due(limit, "skipHours and skipDays exclude every hour of a day; once a day all the same")
        )
    return Due(at, f"{due.reason}; moved out of the feed's skipHours or skipDays")


def _is_skipped(at: datetime, hints: Hints) -> bool:
    utc = at.astimezone(UTC)
    return utc.hour in hints.skip_hours or utc.strftime("%A").lower() in hints.skip_days


def _phase(name: str, now: datetime) -> float:
    """In [0, 1): a feed's own place in the crowd, another one each hour; the same for the same question."""
    digest = hashlib.blake2b(f"{name}|{now:%Y%m%d%H}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def _say(span: timedelta) -> str:
    return _say_s(span.total_seconds())


def _say_s(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
