"""What a replay of alerts is made of: counts of arrivals, and the alerts that they would have raised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class QuarterCount:
    """Stories of a series that arrived in the quarter of an hour from `at` on; *_all with backfilled ones."""

    series_id: int
    at: datetime
    negative: int
    other: int
    negative_all: int
    other_all: int


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that would have been told."""

    series_id: int
    at: datetime
