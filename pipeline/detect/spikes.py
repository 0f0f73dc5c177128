"""Is a window explained by the baseline? The conditional negative binomial test and what belongs to it.

K distinct negative stories are tested given the M other stories of the same window: a busy day explains more
negatives, a bad day does not. C negatives are expected given M. Everything here is elementwise over arrays and has no state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from pipeline.detect.counts import WINDOW_HOURS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Stories on both sides of the market factor that say "nothing unusual".
MARKET_PSEUDO_STORIES = 60.0
MARKET_FACTOR_RANGE = (1.0, 3.0)
# How differently series move with the market: coefficient of variation of what a bad day adds to them. On two simulated
# bad days it leaves 1 to 3 alerts of 150 series instead of 3 to 5, and costs no recall (`undertow simulate`).
MARKET_SPREAD = 1.0
# Below this part of the usual volume a window says nothing.
LEAST_COVERAGE = 0.5
# The volume has a heavier tail than the gamma distribution gives it: with v doubled, benign surges are 10 % instead of
# 14 % of the false alarms and nothing else moves (`undertow simulate`).
VOLUME_CAUTION = 2.0
# A short window is tested more often than a long one, so it has to be less likely to count the same: a day holds six
# times as many separate 4 h windows as 24 h windows. Worth 1 to 3 points of recall (`undertow simulate`).
WINDOW_BONUS = np.log10(np.array(WINDOW_HOURS) / 4.0)
# Variance over mean of rare stories: one event makes more than one of them, so four stories where almost none are
# expected are not as strange as their Poisson tail says. Costs no recall in the simulation; estimating it costs three
# points, because copies that were not found look the same.
CLUSTERING = 1.1
# The same of bare counts, in which nobody found the copies: with one threshold for all, 2 and 3 are worth one to three
# points on NAB (`bench/nab.py`).
CLUSTERING_OF_COUNTS = 2.0
# Copies in a window of which a part is taken to have been missed: what one widely told event brings. Copies of many
# distinct stories are no reason to doubt these: without a limit a crisis is the quieter, the more outlets carry it.
COPIES_OF_ONE_EVENT = 100.0
SMALLEST_P = 1e-300


@dataclass(frozen=True)
class Windows:
    """Trailing windows of any leading shape [..., W]: `negative` (K), `other` (M), `copies`, and what is usual.

    `copies`: further articles of negative stories. `usual_negative` and `usual_other`: stories that the feeds which were
    up usually bring; `coverage`: the part of the usual volume that is theirs, 0 to 1, above it for a backlog.
    """

    negative: FloatArray
    other: FloatArray
    copies: FloatArray
    usual_negative: FloatArray
    usual_other: FloatArray
    coverage: FloatArray


@dataclass(frozen=True)
class Verdict:
    """Expected negatives given M (C), their variance, and P(at least K), per window [..., W]."""

    expected: FloatArray
    variance: FloatArray
    p: FloatArray


@dataclass(frozen=True)
class LeastEvidence:
    """What a window must hold besides its score: K, K - C and K / C at least; arrays [S] or numbers."""

    least_negative: FloatArray | float = 3.0
    least_excess: FloatArray | float = 3.0
    least_ratio: FloatArray | float = 1.5


def explain(
    windows: Windows,
    volume_cv2: FloatArray,
    share_cv2: FloatArray,
    market: FloatArray | float = 1.0,
    missed_copies: float = 0.0,
    clustering: float = CLUSTERING,
) -> Verdict:
    """Tests K given M. `market` multiplies what is expected; `missed_copies` per copy of one event are expected on top."""
    a = 1 / (VOLUME_CAUTION * volume_cv2)
    share_cv2 = share_cv2 + (MARKET_SPREAD * (1 - 1 / np.asarray(market))) ** 2
    usual = np.maximum(windows.usual_negative, 1e-6)
    expected = usual * (a + windows.other) / (a + windows.usual_other) * market
    variance = clustering * expected + expected**2 * (1 / (a + windows.other) + share_cv2)
    leaked = missed_copies * np.minimum(windows.copies, COPIES_OF_ONE_EVENT)
    expected, variance = expected + leaked, variance + leaked
    return Verdict(expected, variance, tail(windows.negative, expected, variance))


def tail(number: FloatArray, expected: FloatArray, variance: FloatArray) -> FloatArray:
    """P(X >= number) of the negative binomial with this mean and variance (variance > expected)."""
    size = expected**2 / (variance - expected)
    p = betainc(np.maximum(number, 1e-12), size, 1 - expected / variance)
    return np.asarray(np.where(number > 0, np.maximum(p, SMALLEST_P), 1.0))


def score_windows(p: FloatArray, coverage: FloatArray) -> FloatArray:
    """Score of each window [..., W]: -log10 p, by how often such a window is tested; -inf where feeds were down."""
    score = -np.log10(p) + WINDOW_BONUS - np.log10(len(WINDOW_HOURS))
    return np.where(coverage >= LEAST_COVERAGE, np.round(score, 6), -np.inf)


def enough_evidence(windows: Windows, expected: FloatArray, least: LeastEvidence) -> BoolArray:
    """Per window [S, ..., W]: K, K - C and K / C are all large enough."""
    shape = (-1,) + (1,) * (expected.ndim - 1)
    negative, excess, ratio = (
        np.reshape(np.asarray(x, dtype=float), shape)
        for x in (least.least_negative, least.least_excess, least.least_ratio)
    )
    k = windows.negative
    return np.asarray((k >= negative) & (k - expected >= excess) & (k >= ratio * expected))


def market_factors(
    windows: Windows, verdict: Verdict, volume_cv2: FloatArray, share_cv2: FloatArray, counts: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """How much worse than usual the *other* series are [S, ..., W], and how all of them are [1, ..., W].

    g = (sum w K + 60) / (sum w C + 60) over the series that `counts` [S] names; no series adds more than 4 C w + 2, so
    that one crisis is no market. The first is clipped to [1, 3], the second is not.
    """
    a = 1 / (VOLUME_CAUTION * volume_cv2)
    weight = 1 / (1 + verdict.expected * (1 / (a + windows.other) + share_cv2))
    weight = weight * counts.reshape((-1,) + (1,) * (weight.ndim - 1))
    weight = np.where(windows.coverage >= LEAST_COVERAGE, weight, 0.0)
    usual = weight * verdict.expected
    seen = np.minimum(weight * windows.negative, 4 * usual + 2 * (weight > 0))
    top, bottom = seen.sum(axis=0, keepdims=True), usual.sum(axis=0, keepdims=True)
    others = (top - seen + MARKET_PSEUDO_STORIES) / (bottom - usual + MARKET_PSEUDO_STORIES)
    whole = (top + MARKET_PSEUDO_STORIES) / (bottom + MARKET_PSEUDO_STORIES)
    return np.clip(others, *MARKET_FACTOR_RANGE), whole
