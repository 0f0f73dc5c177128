"""One tick of all Series, pure: counts and baseline in, findings and changed episodes out.

Live detection, replay and simulation all come through here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.alerts import Change, Episode, Observation, advance
from pipeline.detect.baseline import Baseline, usual_in_windows
from pipeline.detect.counts import WINDOW_HOURS
from pipeline.detect.rules import Rule
from pipeline.detect.spikes import (
    CLUSTERING,
    LEAST_COVERAGE,
    WINDOW_BONUS,
    LeastEvidence,
    Windows,
    enough_evidence,
    explain,
    market_factors,
    score_windows,
)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
# Windows whose market factor decides whether the whole market is one alert: 1 h and 4 h. The first sees a bad day
# begin, the second does not forget it in a quiet hour.
MARKET_WINDOWS = slice(0, 2)


@dataclass(frozen=True)
class Span:
    """T ticks up to `tick_at`: counts of their trailing windows [S, T, W], and the coverage that these had.

    `coverage` [S, T + 95] is per quarter of an hour, so that the first tick has its 24 hours too. `unread`: most of the
    newest stories had no verdict yet.
    """

    tick_at: datetime
    negative: FloatArray
    other: FloatArray
    copies: FloatArray
    coverage: FloatArray
    unread: bool = False


@dataclass(frozen=True)
class Crowd:
    """What is known of S series besides their counts.

    `in_market`: counts in the market factor (companies; where none is watched, topics);
    `corrected`: is corrected by it (all but everything). `whole`: index of everything, or None. `clustering`:
    variance over mean of rare stories.
    """

    rules: tuple[Rule, ...]
    in_market: BoolArray
    corrected: BoolArray
    whole: int | None = None
    market_factor: float = 1.5
    missed_copies: float = 0.01
    clustering: float = CLUSTERING

    @property
    def least(self) -> LeastEvidence:
        """What the rules ask for besides the score, arrays [S]."""
        return LeastEvidence(
            np.array([float(r.least_negative) for r in self.rules]),
            np.array([r.least_excess for r in self.rules]),
            np.array([r.least_ratio for r in self.rules]),
        )


@dataclass(frozen=True)
class Findings:
    """What T ticks found of S series [S, T], at the best window of each; `market` [T] is the factor of everything.

    `score` is the highest of the windows, `crossing` the highest of those with enough evidence (-inf: none);
    `window` indexes WINDOW_HOURS: the window of `crossing` where there is one.
    """

    window: NDArray[np.int64]
    negative: FloatArray
    other: FloatArray
    expected: FloatArray
    variance: FloatArray
    p: FloatArray
    score: FloatArray
    crossing: FloatArray
    copies: FloatArray
    usual_negative: FloatArray
    usual_other: FloatArray
    factor: FloatArray
    no_data: BoolArray
    coverage: FloatArray
    unread: BoolArray
    market: FloatArray


def find(span: Span, baseline: Baseline, crowd: Crowd) -> Findings:
    """Tests every trailing window of the ticks in `span` against `baseline`."""
    windows = _windows(span, baseline)
    v, rho = baseline.volume_cv2[:, None], baseline.share_cv2[:, None]
    plain = explain(windows, v, rho, 1.0, crowd.missed_copies, crowd.clustering)
    others, whole = market_factors(windows, plain, v, rho, crowd.in_market)
    factor = np.where(crowd.corrected[:, None, None], others, 1.0)
    verdict = explain(windows, v, rho, factor, crowd.missed_copies, crowd.clustering)
    score = score_windows(verdict.p, windows.coverage)
    crossing = np.where(enough_evidence(windows, verdict.expected, crowd.least), score, -np.inf)
    best = np.where(np.isfinite(crossing).any(axis=2), crossing.argmax(axis=2), score.argmax(axis=2))

    def at_best(values: FloatArray) -> FloatArray:
        return np.take_along_axis(values, best[..., None], axis=2)[..., 0]

    return Findings(
        best,
        at_best(windows.negative),
        at_best(windows.other),
        at_best(verdict.expected),
        at_best(verdict.variance),
        at_best(verdict.p),
        score.max(axis=2),
        crossing.max(axis=2),
        at_best(windows.copies),
        at_best(windows.usual_negative),
        at_best(windows.usual_other),
        at_best(np.broadcast_to(factor, score.shape)),
        np.asarray((windows.coverage < LEAST_COVERAGE).all(axis=2)),
        windows.coverage[..., -1],
        np.full(score.shape[:2], span.unread),
        np.round(whole[0, :, MARKET_WINDOWS].max(axis=1), 6),
    )


def observe(findings: Findings, crowd: Crowd, series: int, tick: int, tick_at: datetime) -> Observation:
    """What one tick says of one series. Everything also crosses when the whole market is worse than usual.

    Where the rule is off a tick says nothing: no alert begins or rises, and one that is open runs out. While stories
    wait unread a tick that crosses is news, but one that does not is no calm: it has no data.
    """
    if not crowd.rules[series].enabled:
        return Observation(tick_at, -1.0, enough=False, no_data=bool(findings.no_data[series, tick]))
    score = float(findings.score[series, tick])
    crossing = float(findings.crossing[series, tick])
    if series == crowd.whole:
        rule = crowd.rules[series]
        market = rule.warning * (float(findings.market[tick]) - 1) / (crowd.market_factor - 1)
        score, crossing = max(score, market), max(crossing, market if market >= rule.warning else -np.inf)
    enough = crossing > -np.inf
    unread = findings.unread[series, tick] and crossing < crowd.rules[series].warning
    no_data = bool(findings.no_data[series, tick] or unread)
    return Observation(tick_at, crossing if enough else max(score, -1.0), enough, no_data)


def follow(
    findings: Findings,
    crowd: Crowd,
    episodes: Mapping[int, Episode],
    tick_at: datetime,
    tick: int = 0,
) -> dict[int, tuple[Episode, tuple[Change, ...]]]:
    """Episodes that this tick opened or went on with, by index of the series, with what changed."""
    least = np.array([rule.warning if rule.enabled else np.inf for rule in crowd.rules])
    crossed = set(np.flatnonzero(findings.crossing[:, tick] >= least).tolist())
    if crowd.whole is not None and crowd.rules[crowd.whole].enabled:
        crossed.add(crowd.whole)
    followed: dict[int, tuple[Episode, tuple[Change, ...]]] = {}
    for i in sorted(crossed | episodes.keys()):
        episode, changes = advance(
            episodes.get(i), observe(findings, crowd, i, tick, tick_at), crowd.rules[i]
        )
        if episode is not None and (episode is not episodes.get(i) or changes):
            followed[i] = (episode, changes)
    return followed


def market_wide(findings: Findings, crowd: Crowd, tick: int = 0) -> bool:
    """True where everything is worse than usual at the tick, not one series alone."""
    return bool(findings.market[tick] >= crowd.market_factor)


def everyone(rules: Sequence[Rule], **kwargs: float) -> Crowd:
    """A crowd of series that are all alike: all count in the market factor and are corrected by it."""
    yes = np.ones(len(rules), dtype=bool)
    return Crowd(tuple(rules), yes, yes, **kwargs)  # type: ignore[arg-type]


def _windows(span: Span, baseline: Baseline) -> Windows:
    covered, full = usual_in_windows(baseline, span.tick_at, span.coverage)
    share = baseline.share[:, None, None]
    return Windows(
        span.negative,
        span.other,
        span.copies,
        covered * share,
        covered * (1 - share),
        covered / np.maximum(full, 1e-12),
    )


def reconsider(
    findings: Findings, baseline: Baseline, crowd: Crowd, series: int, negative: int, other: int, copies: int
) -> tuple[float, bool]:
    """Score of the first tick's best window with other counts, and whether the rule would fire on it."""

    def one(value: float) -> FloatArray:
        return np.array([[float(value)]])

    w = int(findings.window[series, 0])
    windows = Windows(
        one(negative),
        one(other),
        one(copies),
        one(findings.usual_negative[series, 0]),
        one(findings.usual_other[series, 0]),
        one(1.0),
    )
    v, rho = (one(x[series, w]) for x in (baseline.volume_cv2, baseline.share_cv2))
    factor = one(findings.factor[series, 0])
    verdict = explain(windows, v, rho, factor, crowd.missed_copies, crowd.clustering)
    rule = crowd.rules[series]
    least = LeastEvidence(float(rule.least_negative), rule.least_excess, rule.least_ratio)
    score = float(np.round(-np.log10(verdict.p[0, 0]) + WINDOW_BONUS[w] - np.log10(len(WINDOW_HOURS)), 6))
    enough = bool(enough_evidence(windows, verdict.expected, least)[0, 0])
    return score, enough and score >= rule.warning


def window_hours(findings: Findings, series: int, tick: int = 0) -> int:
    """Length, in hours, of the window that the findings of a series at a tick speak of."""
    return WINDOW_HOURS[int(findings.window[series, tick])]
