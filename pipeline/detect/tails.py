"""Tail calibration of a score without a denominator: what counts is how rare it is for this very Series. Pure.

A count has no other stories to be compared with, so its model tail is off by orders of magnitude. Per series: how
often the score exceeds u, and by how much on average, shrunk to all series; beyond u the tail is exponential.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EXCEEDED = 1.3
# What one exceedance may add: enough to learn a heavy tail, and no spike makes the next one pass for usual. With 3 (the
# design) one threshold fits heavy and light series less well, by a point on NAB; 12 is worse than either.
LARGEST_EXCESS = 6.0
PSEUDO_EXCEEDANCES = 30.0
HALF_LIFE_DAYS = 28.0
# What the pool starts from: a calibrated score exceeds 1.3 once in 20 ticks, by 1 / ln 10 on average.
START_RATE = 10.0**-EXCEEDED
START_EXCESS = 1 / np.log(10)


@dataclass(frozen=True)
class TailBook:
    """Decayed sums per series [S]: exceedances over u, their excess (each at most 6), ticks."""

    number: FloatArray
    excess: FloatArray
    ticks: FloatArray

    @classmethod
    def empty(cls, size: int) -> TailBook:
        """The book of `size` series before their first day."""
        return cls(np.zeros(size), np.zeros(size), np.zeros(size))

    def after(self, scores: FloatArray) -> TailBook:
        """The book after a day of scores [S, T]."""
        keep = 0.5 ** (1 / HALF_LIFE_DAYS)
        over = scores > EXCEEDED
        excess = np.minimum(scores - EXCEEDED, LARGEST_EXCESS) * over
        return TailBook(
            keep * self.number + over.sum(axis=1),
            keep * self.excess + excess.sum(axis=1),
            keep * self.ticks + scores.shape[1],
        )

    def calibrate(self, scores: FloatArray) -> FloatArray:
        """-log10 of how often such a score comes [S, T]; below u in proportion."""
        pool_rate = (self.number.sum() + PSEUDO_EXCEEDANCES) / (
            self.ticks.sum() + PSEUDO_EXCEEDANCES / START_RATE
        )
        pool_excess = (self.excess.sum() + PSEUDO_EXCEEDANCES * START_EXCESS) / (
            self.number.sum() + PSEUDO_EXCEEDANCES
        )
        rate = (self.number + PSEUDO_EXCEEDANCES) / (self.ticks + PSEUDO_EXCEEDANCES / pool_rate)
        mean = (self.excess + PSEUDO_EXCEEDANCES * pool_excess) / (self.number + PSEUDO_EXCEEDANCES)
        at_u = -np.log10(np.minimum(rate, 0.5))[:, None]
        beyond = at_u + (scores - EXCEEDED) / (mean[:, None] * np.log(10))
        return np.asarray(np.where(scores > EXCEEDED, beyond, at_u * np.maximum(scores, 0.0) / EXCEEDED))
