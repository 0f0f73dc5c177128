"""Missing is not zero: what part of the usual volume the feeds brought in each quarter of an hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.counts import TICK, TICKS_PER_DAY

FloatArray = NDArray[np.float64]

# Stories of a series that are taken to come from its feeds as they do for everything, before its own are known.
PSEUDO_STORIES = 5.0
# Part of the newest stories without a verdict from which on a tick cannot tell calm from a scorer that is behind: half,
# as for feeds. Ten stories say so within two hours at four an hour, and a few that break the model do not.
MOST_UNREAD = 0.5
NEWEST_STORIES = 10
# From a story's arrival to its verdict; until then that it has none is no sign of anything. Scoring follows within minutes.
READING_TIME = TICK


def feed_weights(
    stories: NDArray[np.int64], series_ids: Sequence[int], feed_ids: Sequence[int]
) -> FloatArray:
    """Part of each series' stories that each feed brings [S, F]; rows add up to 1.

    `stories` [N, 3]: series, feed, number; what is of another series or feed is left out.
    """
    counts = np.zeros((len(series_ids), len(feed_ids)))
    row, column = _places(series_ids, stories[:, 0]), _places(feed_ids, stories[:, 1])
    known = (row >= 0) & (column >= 0)
    counts[row[known], column[known]] = stories[known, 2]
    if not feed_ids:
        return counts
    everywhere = (counts.sum(axis=0) + 1) / (counts.sum() + len(feed_ids))
    return np.asarray(
        (counts + PSEUDO_STORIES * everywhere) / (counts.sum(axis=1, keepdims=True) + PSEUDO_STORIES)
    )


def coverage_before(
    tick_at: datetime,
    exceptions: Mapping[datetime, Mapping[int, float]],
    weights: FloatArray,
    feed_ids: Sequence[int],
    unseen: float,
) -> FloatArray:
    """Coverage [S, 96] of the quarters before `tick_at`, oldest first.

    `exceptions`: for each evaluated tick the feeds that brought more or less than their quarter, as a multiple of it.
    Quarters without a tick have the coverage `unseen`.
    """
    column = {feed: j for j, feed in enumerate(feed_ids)}
    covered = np.full((len(weights), TICKS_PER_DAY), unseen)
    for place in range(TICKS_PER_DAY):
        at = tick_at - TICK * (TICKS_PER_DAY - 1 - place)
        if at in exceptions:
            covered[:, place] = 1.0 + sum(
                weights[:, column[feed]] * (ratio - 1.0)
                for feed, ratio in sorted(exceptions[at].items())
                if feed in column
            )
    return np.asarray(np.maximum(covered, 0.0))


def days_off(
    first_tick: datetime | None, ticks: Iterable[datetime], counted: Iterable[datetime], end: datetime
) -> list[date]:
    """UTC days between the first tick ever and the midnight `end` on which nobody looked: no tick, and no story counted.

    A detector that comes back evaluates the last days (as without data); those before have no tick at all.
    """
    if first_tick is None:
        return []
    known = {(tick_at - TICK).date() for tick_at in ticks} | {at.date() for at in counted}
    days = (first_tick.date() + timedelta(days=n) for n in range(1, (end.date() - first_tick.date()).days))
    return [day for day in days if day not in known]


def _places(ids: Sequence[int], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of `wanted` is in `ids`; -1: nowhere."""
    place = {each: n for n, each in enumerate(ids)}
    return np.array([place.get(int(each), -1) for each in wanted], dtype=np.int64)


def due_ticks(
    last: datetime | None, first_live: datetime | None, as_of: datetime, most: timedelta
) -> list[datetime]:
    """Ticks to evaluate now, oldest first: all after `last`, but none older than `most`.

    The very first one closes its window early, so that a new installation need not wait for the quarter to end; what
    still comes in it counts in the next.
    """
    now = as_of - timedelta(seconds=as_of.timestamp() % TICK.total_seconds())
    if last is None:
        if first_live is None:
            return []
        first = max(first_live + TICK, now - most)
        return ticks_between(first, now) or [first]
    return ticks_between(max(last + TICK, now - most), now)


def ticks_between(first: datetime, last: datetime) -> list[datetime]:
    """Ticks in [first, last]."""
    return [first + TICK * n for n in range(int((last - first) / TICK) + 1)] if last >= first else []
