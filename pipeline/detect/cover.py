"""Which alert stands for which: one event moves a company, its sector, its topics and everything, and is told once. Pure.

An alert is folded into one that was told when that one already told most of its negative stories. What is folded is
stored, listed where the other one is shown, and is told by itself as soon as it has news of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.notify.routes import RANK
from pipeline.types import SeriesKind, Severity

# Part of its negative stories that must have been told for an alert to be folded: half. Two sectors of one crisis share
# that much; a theme that an unrelated event adds to does not.
COVERED_PART = 0.5
# How long after a message its readers still expect more of the same: a story's copies come within two hours.
STILL_TOLD = timedelta(hours=2)
WIDTH: dict[SeriesKind, int] = {"company": 0, "sector": 1, "topic": 2, "all": 3}


@dataclass(frozen=True, slots=True)
class Standing:
    """An open alert that people know of, because it was told itself or folded into one that was.

    `told_by`: id of the alert that told it, its own or the other's, last at `told_at`. `severity` is what people know of it.
    """

    series_id: int
    kind: SeriesKind
    told_by: int
    severity: Severity
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Shared:
    """A negative story of the alert in question that is negative for another series too."""

    series_id: int
    story_id: int
    counted_at: datetime


def covering_alerts(
    kind: SeriesKind,
    severity: Severity,
    stories: Collection[int],
    standing: Iterable[Standing],
    shared: Collection[Shared],
) -> list[int]:
    """Ids of the alerts that together told most of `stories`, the one with most of them first; empty where they did not.

    A critical alert is covered by critical ones only. One about something wider than `kind` covers what it told, not what came
    later: the next company of a sector in trouble is news.
    """
    told: dict[int, set[int]] = {}
    for other in standing:
        if RANK[other.severity] < RANK[severity]:
            continue
        until = other.told_at + STILL_TOLD if WIDTH[other.kind] > WIDTH[kind] else None
        covered = {
            s.story_id
            for s in shared
            if s.series_id == other.series_id and (until is None or s.counted_at < until)
        }
        if covered:
            told.setdefault(other.told_by, set()).update(covered)
    if not told or len(set().union(*told.values())) < COVERED_PART * len(stories):
        return []
    return sorted(told, key=lambda alert_id: (-len(told[alert_id]), alert_id))


def extends_cover(kind: SeriesKind) -> bool:
    """Whether the stories of a folded alert count as told by the one that covers it: companies and sectors name the event,
    themes do not."""
    return kind in ("company", "sector")
