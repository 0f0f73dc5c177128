"""Which feeds are ill, and in which words the operator is told. Pure.

Polling goes on whatever is found here; a feed is never given up in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# A feed without news for this many of its usual gaps has moved, broke, or stands behind a wall. Both numbers stand in
# analytics.feed_health and the desk's list, too; a test holds the three together.
SILENT_GAPS = 5
# Gaps shorter than this do not make a feed silent over a night or a weekend.
SILENT_AT_LEAST = timedelta(hours=72)
ERROR_FOR = timedelta(hours=24)
BAD_DATE_SHARE = 0.2
DUPLICATE_SHARE = 0.5
# Share of the usual text length below which bodies have collapsed (a paywall, a change of template).
BODY_COLLAPSE = 0.3
# Items of a day below which shares say nothing.
ITEMS_AT_LEAST = 5
# The operator is told again of a problem that lasts.
REMIND_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the rules look at, per feed; counts are of the last 24 h, lengths in characters."""

    feed_id: int
    name: str
    status: str = "ok"
    error_class: str | None = None
    error_count: int = 0
    first_error_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_new_item_at: datetime | None = None
    median_gap_s: float | None = None
    added_at: datetime | None = None
    new: int = 0
    seen: int = 0
    bad_dates: int = 0
    duplicate: int = 0
    rejected: int = 0
    recent_chars: float | None = None
    usual_chars: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one feed: a class for programs, a sentence for people."""

    feed_id: int
    feed: str
    kind: str  # failing | gone | silent | bad_dates | duplicates | body_collapse | rejects
    says: str


def problems(vitals: Vitals, as_of: datetime) -> list[Problem]:
    """What is wrong with a feed at `as_of`."""
    rules = (_gone, _failing, _silent, _bad_dates, _duplicates, _collapsed, _rejects)
    said = [rule(vitals, as_of) for rule in rules]
    kinds = ("gone", "failing", "silent", "bad_dates", "duplicates", "body_collapse", "rejects")
    return [
        Problem(vitals.feed_id, vitals.name, kind, says)
        for kind, says in zip(kinds, said, strict=True)
        if says
    ]


def untold(found: list[Problem], told: Mapping[str, str], as_of: datetime) -> list[Problem]:
    """Problems that the operator has not been told of, or not for a week."""
    return [
        problem for problem in found
        if problem.kind not in told or as_of - datetime.fromisoformat(told[problem.kind]) > REMIND_AFTER
    ]  # fmt: skip


def _gone(vitals: Vitals, as_of: datetime) -> str | None:
    return (
        "the publisher says it is gone for good (410); it is no longer polled"
        if vitals.status == "gone"
        else None
    )


def _failing(vitals: Vitals, as_of: datetime) -> str | None:
    if vitals.status == "gone" or vitals.first_error_at is None or as_of - vitals.first_error_at < ERROR_FOR:
        return None
    days = (as_of - vitals.first_error_at) / timedelta(days=1)
    return f"it has failed for {days:.1f} days ({vitals.error_class}, {vitals.error_count} times in a row); it is still tried daily"


def _silent(vitals: Vitals, as_of: datetime) -> str | None:
    last = vitals.last_new_item_at or vitals.added_at
    if last is None or vitals.status != "ok" or vitals.last_ok_at is None:
        return None
    gap = timedelta(seconds=vitals.median_gap_s or 0)
    if as_of - last <= max(SILENT_GAPS * gap, SILENT_AT_LEAST):
        return None
    usual = (
        f"usually every {gap / timedelta(hours=1):.3g} h"
        if gap
        else "it never brought enough to know how often"
    )
    return f"it answers but brought nothing new for {(as_of - last) / timedelta(days=1):.1f} days ({usual})"


def _bad_dates(vitals: Vitals, as_of: datetime) -> str | None:
    if vitals.new < ITEMS_AT_LEAST or vitals.bad_dates <= BAD_DATE_SHARE * vitals.new:
        return None
    return f"{vitals.bad_dates} of {vitals.new} new items have no usable date; set default_tz if they lack a zone"


def _duplicates(vitals: Vitals, as_of: datetime) -> str | None:
    if vitals.seen < ITEMS_AT_LEAST or vitals.duplicate <= DUPLICATE_SHARE * vitals.seen:
        return None
    return f"{vitals.duplicate} of {vitals.seen} items repeat another item of the same document"


def _collapsed(vitals: Vitals, as_of: datetime) -> str | None:
    if not vitals.usual_chars or vitals.recent_chars is None or vitals.new < ITEMS_AT_LEAST:
        return None
    if vitals.recent_chars >= BODY_COLLAPSE * vitals.usual_chars:
        return None
    return f"texts shrank to {vitals.recent_chars:.0f} characters from {vitals.usual_chars:.0f}; a paywall or a new template"


def _rejects(vitals: Vitals, as_of: datetime) -> str | None:
    if vitals.rejected < ITEMS_AT_LEAST or vitals.rejected <= BAD_DATE_SHARE * vitals.seen:
        return None
    return f"{vitals.rejected} of {vitals.seen} items could not be stored; article_rejects says why"
