"""Counts of distinct stories per Series and Window: the only thing the detector looks at.

Shapes throughout `detect`: S series, T ticks of 15 minutes, W trailing windows (1 h, 4 h, 24 h).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

TICK = timedelta(minutes=15)
TICKS_PER_HOUR = 4
TICKS_PER_DAY = 96
WINDOW_HOURS = (1, 4, 24)


@dataclass(frozen=True)
class Counts:
    """Distinct stories [S, T] per series and 15-minute window; the first window starts at `start`.

    `coverage` is the part of the usually expected volume whose feeds were healthy (1 = all; above 1 when a feed
    hands over the backlog of a longer time). `copies` counts the further articles of negative stories.
    """

    start: datetime
    series: tuple[str, ...]
    negative: FloatArray
    other: FloatArray
    coverage: FloatArray
    copies: FloatArray

    @property
    def ticks(self) -> int:
        return int(self.negative.shape[1])


def trailing_sums(values: FloatArray, hours: tuple[int, ...] = WINDOW_HOURS) -> FloatArray:
    """Sums over the trailing windows that end with each tick: [S, T] -> [S, T, W]; the past before tick 0 is 0."""
    total = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
    ticks = np.arange(values.shape[1])
    sums = [total[:, ticks + 1] - total[:, np.maximum(0, ticks + 1 - h * TICKS_PER_HOUR)] for h in hours]
    return np.stack(sums, axis=2)
