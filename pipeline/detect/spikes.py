"""Is this window explained by the baseline? The conditional negative binomial test and what belongs to it.

K distinct negative stories are tested given the M other stories of the same window: a busy day explains more
negatives, a bad day does not. Everything here is elementwise over arrays and has no state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

FloatArray = NDArray[np.float64]

# Stories on both sides of the market factor that say "nothing unusual".
MARKET_PSEUDO_STORIES = 60.0
MARKET_FACTOR_RANGE = (1.0, 3.0)
# Below this part of the usual volume a window says nothing.
LEAST_COVERAGE = 0.5
SMALLEST_P = 1e-300


@dataclass(frozen=True)
class Verdict:
    """What the test says of windows of any shape: expected negatives, their variance, p and -log10 p."""

    expected: FloatArray
    variance: FloatArray
    p: FloatArray

    @property
    def score(self) -> FloatArray:
        """max over the windows (last axis) of -log10 p, less log10 of their number."""
        return np.asarray(-np.log10(self.p).max(axis=-1) - np.log10(self.p.shape[-1]))


def explain(
    negative: FloatArray,
    other: FloatArray,
    usual_negative: FloatArray,
    usual_other: FloatArray,
    volume_cv2: FloatArray,
    share_cv2: FloatArray,
    market: FloatArray | float = 1.0,
) -> Verdict:
    """Tests K given M. All arguments broadcast; `market` multiplies what is expected."""
    usual_negative = np.maximum(usual_negative, 1e-6)
    a = 1 / volume_cv2
    expected = usual_negative * (a + other) / (a + usual_other) * market
    variance = expected + expected**2 * (1 / (a + other) + share_cv2)
    return Verdict(expected, variance, tail(negative, expected, variance))


def tail(number: FloatArray, expected: FloatArray, variance: FloatArray) -> FloatArray:
    """P(X >= number) of the negative binomial with this mean and variance (variance > expected)."""
    size = expected**2 / (variance - expected)
    p = betainc(np.maximum(number, 1e-12), size, 1 - expected / variance)
    return np.asarray(np.where(number > 0, np.maximum(p, SMALLEST_P), 1.0))


def market_factor(
    negative: FloatArray, other: FloatArray, expected: FloatArray, volume_cv2: FloatArray, share_cv2: FloatArray
) -> FloatArray:
    """How much worse than usual the *other* series are, per series and window: [S, ..., W] -> the same.

    g = (sum w K + 60) / (sum w C + 60); no series may add more than 4 C w + 2, so that one crisis is no market.
    """
    weight = 1 / (1 + expected * (1 / (1 / volume_cv2 + other) + share_cv2))
    usual = weight * expected
    seen = np.minimum(weight * negative, 4 * usual + 2)
    top, bottom = (x.sum(axis=0, keepdims=True) - x + MARKET_PSEUDO_STORIES for x in (seen, usual))
    return np.asarray(np.clip(top / bottom, *MARKET_FACTOR_RANGE))
