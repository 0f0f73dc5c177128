"""When to try again. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
# After a day nobody acts on an alert any more, and a person has been told that its receiver is dead.
GIVE_UP_AFTER = timedelta(hours=24)
# Share by which waits differ, so that many messages do not come back at once.
JITTER = 0.2


def next_try(
    key: str, attempts: int, first_attempt_at: datetime, as_of: datetime, wait_s: float = 0.0
) -> datetime | None:
    """When to try for the (attempts + 1)th time, or None to give up. `wait_s`: what the receiver asked for, seconds.

    Waits double from a minute to an hour; the jitter is a function of key and attempts, so a replay has the same.
    """
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    digest = hashlib.sha256(f"{key}|{attempts}".encode()).digest()
    spread = 1 + JITTER * (2 * int.from_bytes(digest[:4], "big") / 2**32 - 1)
    at = as_of + max(wait * spread, timedelta(seconds=wait_s))
    return at if at - first_attempt_at <= GIVE_UP_AFTER else None
