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


def trailing_sums(values: FloatArray, first: int = 0) -> FloatArray:
    """Sums over the trailing windows that end with each tick from `first` on: [S, T] -> [S, T - first, W].

    The past before tick 0 is 0.
    """
    total = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
    ends = np.arange(first, values.shape[1]) + 1
    sums = [total[:, ends] - total[:, np.maximum(0, ends - h * TICKS_PER_HOUR)] for h in WINDOW_HOURS]
    return np.stack(sums, axis=2)
