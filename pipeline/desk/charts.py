"""Shapes of charts: counts per hour or day become an index with the band that is usual. Pure.

The index of an hourly chart is taken over the trailing 24 hours, so that it has the meaning and the noise of a day's
and can stand against the same band; a daily chart shows the days themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRAILING_HOURS = 24
BAND_DAYS = 28  # as analytics.sentiment_daily_expected
BAND_LEAST_DAYS = 7  # with fewer days the deviation says nothing yet
# Range -> (length, minutes a point). Hours up to a week: 168 points; days beyond: at most 731.
RANGES = {
    "24h": (timedelta(hours=24), 60),
    "7d": (timedelta(days=7), 60),
    "30d": (timedelta(days=30), 1440),
    "90d": (timedelta(days=90), 1440),
    "1y": (timedelta(days=365), 1440),
    "2y": (timedelta(days=730), 1440),
}
DEFAULT_RANGE = "30d"


@dataclass(frozen=True, slots=True)
class Counts:
    """Stories by verdict in one span that starts at `start_at`."""

    start_at: datetime
    negative: int
    neutral: int
    positive: int

    @property
    def stories(self) -> int:
        return self.negative + self.neutral + self.positive

    @property
    def index(self) -> float | None:
        """(positive - negative) / stories; None without stories."""
        return (self.positive - self.negative) / self.stories if self.stories else None


def read_counts(rows: Sequence[Mapping[str, Any]]) -> list[Counts]:
    """Rows of the database as Counts."""
    return [
        Counts(row["start_at"], int(row["negative"]), int(row["neutral"]), int(row["positive"]))
        for row in rows
    ]


def floor(moment: datetime, span: timedelta) -> datetime:
    """Start of the span that holds the moment; spans are counted from 1970 in UTC."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // span * span


def on_grid(counts: Sequence[Counts], since: datetime, until: datetime, span: timedelta) -> list[Counts]:
    """One Counts for each span in [since, until); spans without stories are zero."""
    found = {count.start_at: count for count in counts}
    starts, start = [], floor(since, span)
    while start < until:
        starts.append(start)
        start += span
    return [found.get(at, Counts(at, 0, 0, 0)) for at in starts]


def trailing_index(grid: Sequence[Counts], spans: int) -> list[float | None]:
    """The index over the last `spans` spans up to and with each one; None where there was no story."""
    values: list[float | None] = []
    net, stories = 0, 0
    for place, count in enumerate(grid):
        net, stories = net + count.positive - count.negative, stories + count.stories
        if place >= spans:
            old = grid[place - spans]
            net, stories = net - old.positive + old.negative, stories - old.stories
        values.append(net / stories if stories else None)
    return values


def band(days: Mapping[datetime, float | None], day: datetime) -> tuple[float, float, float] | None:
    """(low, expected, high) index of a day from the 28 days before it: mean and two deviations, within [-1, 1].

    `days` are the indexes by start of the day.
    """
    found = [days.get(day - back * DAY) for back in range(1, BAND_DAYS + 1)]
    before = [value for value in found if value is not None]
    if len(before) < BAND_LEAST_DAYS:
        return None
    mean = sum(before) / len(before)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in before) / (len(before) - 1))
    return max(-1.0, mean - 2 * deviation), mean, min(1.0, mean + 2 * deviation)


def chart(
    points: Sequence[Counts], days: Sequence[Counts], since: datetime, until: datetime, span_minutes: int
) -> dict[str, Any]:
    """Columns for the browser: `at` (Unix seconds), index and band, stories by verdict.

    `points` reach back 24 h before `since` where spans are hours; `days` 28 days before it.
    """
    span = timedelta(minutes=span_minutes)
    lead = TRAILING_HOURS if span_minutes == 60 else 0
    grid = on_grid(points, since - lead * span, until, span)
    index = trailing_index(grid, TRAILING_HOURS if lead else 1)[lead:]
    grid = grid[lead:]
    bands = _bands(days, grid)
    return {
        "span_minutes": span_minutes,
        "at": [int(count.start_at.timestamp()) for count in grid],
        "index": [_short(value) for value in index],
        "low": [_short(b[0]) if b else None for b in bands],
        "expected": [_short(b[1]) if b else None for b in bands],
        "high": [_short(b[2]) if b else None for b in bands],
        "negative": [count.negative for count in grid],
        "neutral": [count.neutral for count in grid],
        "positive": [count.positive for count in grid],
    }


def _bands(days: Sequence[Counts], grid: Sequence[Counts]) -> list[tuple[float, float, float] | None]:
    indexes = {count.start_at: count.index for count in days}
    known = {day: band(indexes, day) for day in {floor(count.start_at, DAY) for count in grid}}
    return [known[floor(count.start_at, DAY)] for count in grid]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def spark(
    values: Sequence[tuple[datetime, float]],
    since: datetime,
    until: datetime,
    width: int = 96,
    height: int = 22,
) -> dict[str, Any] | None:
    """Points of a small line in an SVG of that size: index -1 to 1 from bottom to top; None with under two points."""
    if len(values) < 2:
        return None
    length = (until - since).total_seconds()
    placed = [
        (
            round(2 + (width - 4) * (at - since).total_seconds() / length, 1),
            round(height / 2 - value * (height / 2 - 2), 1),
        )
        for at, value in values
    ]
    return {
        "points": " ".join(f"{x},{y}" for x, y in placed),
        "last": placed[-1],
        "width": width,
        "height": height,
        "value": values[-1][1],
    }
