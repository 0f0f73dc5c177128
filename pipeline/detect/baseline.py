"""What is usual: level, negative share, weekly profile and dispersion of every Series, from the days before today.

Pure: hourly counts in, a `Baseline` out. The estimators and their constants come from the simulation of the design
(`undertow simulate`, rerun it after changing one; half-lives and pseudo-counts move recall by less than 1.5 points).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipeline.detect.counts import TICKS_PER_DAY, TICKS_PER_HOUR, WINDOW_HOURS, trailing_sums

FloatArray = NDArray[np.float64]

HOURS_PER_WEEK = 168
EPOCH_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
# Quarters of an hour that a feed may hand over at once when it is back; what is older is history.
BACKLOG = 6 * TICKS_PER_HOUR
LEVEL_HALF_LIFE_DAYS = 7.0
SHARE_HALF_LIFE_DAYS = 14.0
PROFILE_HALF_LIFE_DAYS = 28.0
DISPERSION_HALF_LIFE_DAYS = 28.0
SHARE_PSEUDO_STORIES = 15.0
# A series of few stories is better known by months than by weeks: level and share lean on what they were over a long
# time (all that a baseline is made of, the newest day counting three times the oldest) by so many stories. Worth 0.3
# points of recall at 0.5 false alarms a month and 0.5 at 0.1 (`undertow simulate`, seeds 1 to 4).
LONG_HALF_LIFE_DAYS = 56.0
LEVEL_LONG_STORIES = 60.0
SHARE_LONG_STORIES = 100.0
PROFILE_PSEUDO_STORIES = 20.0
DISPERSION_PSEUDO_WINDOWS = 10.0
# What v and rho are weighed with before they are known, and where their estimates are clipped (the pool on simulated
# worlds lies at 0.1 to 0.3).
TYPICAL_DISPERSION = 0.1
DISPERSION_RANGE = (0.01, 3.0)
WINSOR_SDS = 3.0
# Where deviations of the volume are cut when its dispersion is learnt, and the part of the square of a normal deviate
# that this leaves. Surges and crises of the past stand out further than 3 sd, and count as little as this lets them:
# cutting at 2 instead of 3 is worth a point on NAB. Likewise for the share nothing moves (0.1 points of recall less).
VOLUME_CUT_SDS, VOLUME_CUT_KEEPS = 2.0, 0.92
# Days of a series before what it deviates by is learnt from: its level has to be known first.
SETTLING_DAYS = 7
# Stories in one hour that every series is taken to have had: a series without history is a quiet one.
LEVEL_PRIOR_STORIES = 0.05
# Stories that every series is taken to be known by, so that the doubt about its level is finite (at most 2).
LEAST_KNOWN_STORIES = 0.5


@dataclass(frozen=True)
class Baseline:
    """What to expect of S series from `as_of` (a UTC midnight) on; made only from the days before it.

    level: stories per hour [S]; share: negative part of them [S]; profile: factor per hour of the week [S, 168],
    Monday 00 UTC first, mean 1; volume_cv2 (v) and share_cv2 (rho): squared coefficients of variation [S, W];
    days: days of history with any coverage [S].
    """

    as_of: datetime
    level: FloatArray
    share: FloatArray
    profile: FloatArray
    volume_cv2: FloatArray
    share_cv2: FloatArray
    days: FloatArray


@dataclass(frozen=True)
class History:
    """Hourly counts [S, H] of whole days before `as_of`; hour 0 is a UTC midnight `H / 24` days earlier."""

    as_of: datetime
    negative: FloatArray
    other: FloatArray
    coverage: FloatArray

    @property
    def hours_of_week(self) -> NDArray[np.int64]:
        """Hour of the week of each hour [H], 0 to 167; 0 begins on Monday 00:00 UTC."""
        size = self.negative.shape[1]
        last = (self.as_of.weekday() * 24) % HOURS_PER_WEEK
        return np.asarray((last - size + np.arange(size)) % HOURS_PER_WEEK)


def fit_baseline(history: History) -> Baseline:
    """The baseline of the days in `history`; every hour is winsorised at mean + 3 sd + 1 before it counts."""
    raw = history.negative + history.other
    profile = _profile(raw, history)
    level = _level_before(raw, history, profile)
    share = _share_before(history.negative, raw)
    expected = _expected(level, profile, history)
    negative = _winsorise(history.negative, expected * np.repeat(share[:, :-1], 24, axis=1))
    other = _winsorise(history.other, expected * (1 - np.repeat(share[:, :-1], 24, axis=1)))
    total = negative + other
    profile = _profile(total, history)
    level = _level_before(total, history, profile)
    share = _share_before(negative, total)
    expected = _expected(level, profile, history)
    volume_cv2, share_cv2 = _dispersion(negative, other, expected, share, history)
    volume_cv2 = volume_cv2 + _level_doubt(total)[:, None]
    share_cv2 = share_cv2 + _share_doubt(total, share[:, -1])[:, None]
    days = (history.coverage.reshape(len(raw), -1, 24).sum(axis=2) > 0).sum(axis=1).astype(float)
    return Baseline(history.as_of, level[:, -1], share[:, -1], profile, volume_cv2, share_cv2, days)


def to_parameters(baseline: Baseline, series: int) -> dict[str, Any]:
    """The parameters of one series as JSON; rounding keeps them short and equal wherever they are read."""
    return {
        "level": round(float(baseline.level[series]), 6),
        "share": round(float(baseline.share[series]), 6),
        "profile": [round(float(x), 4) for x in baseline.profile[series]],
        "volume_cv2": [round(float(x), 5) for x in baseline.volume_cv2[series]],
        "share_cv2": [round(float(x), 5) for x in baseline.share_cv2[series]],
        "days": float(baseline.days[series]),
    }


def from_parameters(as_of: datetime, parameters: Sequence[Mapping[str, Any]]) -> Baseline:
    """The baseline of series with these parameters, in this order."""

    def column(name: str) -> FloatArray:
        return np.array([p[name] for p in parameters], dtype=float)

    return Baseline(
        as_of,
        *(column(n) for n in ("level", "share", "profile", "volume_cv2", "share_cv2", "days")),
    )


def unknown_series(share: float) -> dict[str, Any]:
    """Parameters of a series without any history."""
    return {
        "level": LEVEL_PRIOR_STORIES,
        "share": share,
        "profile": [1.0] * HOURS_PER_WEEK,
        "volume_cv2": [TYPICAL_DISPERSION + 1 / LEAST_KNOWN_STORIES] * len(WINDOW_HOURS),
        "share_cv2": [TYPICAL_DISPERSION + (1 - share) / share / SHARE_PSEUDO_STORIES] * len(WINDOW_HOURS),
        "days": 0.0,
    }


def usual_in_windows(
    baseline: Baseline, tick_at: datetime, coverage: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Stories usual in the trailing windows of ticks: with `coverage` as it was, and with all feeds: [S, T, W] each.

    `coverage` [S, T + 95] holds the quarters of an hour up to the last tick, which is at `tick_at`; so many ticks are
    answered that each has its 24 hours. Coverage above 1 is a backlog of the 6 hours before.
    """
    quarters = coverage.shape[1]
    last = round((tick_at - EPOCH_MONDAY).total_seconds() / 900) - 1
    hours = (
        (last - quarters - BACKLOG + 1 + np.arange(quarters + BACKLOG)) // TICKS_PER_HOUR
    ) % HOURS_PER_WEEK
    longer = baseline.level[:, None] * baseline.profile[:, hours] / TICKS_PER_HOUR
    full = longer[:, BACKLOG:]
    total = np.concatenate([np.zeros((len(longer), 1)), np.cumsum(longer, axis=1)], axis=1)
    recent = (total[:, BACKLOG:-1] - total[:, :-1][:, :quarters]) / BACKLOG
    covered = full * np.minimum(coverage, 1) + recent * np.maximum(coverage - 1, 0)
    skip = TICKS_PER_DAY - 1
    return trailing_sums(covered, skip), trailing_sums(full, skip)


def _decay(half_life_days: float) -> float:
    return float(0.5 ** (1 / half_life_days))


def _ages(history: History) -> FloatArray:
    """Age of every hour in days [H]; yesterday is 0."""
    size = history.negative.shape[1]
    return np.asarray((size - 1 - np.arange(size)) // 24, dtype=float)


def _profile(total: FloatArray, history: History) -> FloatArray:
    """The hour-of-week profile [S, 168]: pooled over the series, then blended with each one's own."""
    weight = _decay(PROFILE_HALF_LIFE_DAYS) ** _ages(history) * history.coverage
    exposure = np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    level = (total * weight / np.maximum(history.coverage, 0.05)).sum(axis=1, keepdims=True) / exposure
    decay = _decay(PROFILE_HALF_LIFE_DAYS) ** _ages(history)
    first = int(history.hours_of_week[0])
    seen = _by_hour_of_week(total * decay, first)
    usual = level * _by_hour_of_week(history.coverage * decay, first)
    trust = 1 / (1 + level)  # a large series tells more, but never drowns the others
    pooled = _pooled_profile((seen * trust).sum(axis=0), (usual * trust).sum(axis=0))
    own = (seen + PROFILE_PSEUDO_STORIES * pooled) / (usual + PROFILE_PSEUDO_STORIES)
    return np.asarray(own / own.mean(axis=1, keepdims=True))


def _by_hour_of_week(hourly: FloatArray, first: int) -> FloatArray:
    """Sums [S, H] -> [S, 168], where the first hour is hour `first` of the week."""
    after = -(first + hourly.shape[1]) % HOURS_PER_WEEK
    weeks = np.pad(hourly, ((0, 0), (first, after))).reshape(len(hourly), -1, HOURS_PER_WEEK)
    return np.asarray(weeks.sum(axis=1))


def _pooled_profile(seen: FloatArray, usual: FloatArray) -> FloatArray:
    """One profile [168]; hours of the week that have little history lean on hour of day times day of week."""
    by_day, by_hour = (seen.reshape(7, 24), usual.reshape(7, 24))
    hour = (by_day.sum(axis=0) + 5) / (by_hour.sum(axis=0) + 5)
    day = (by_day.sum(axis=1) + 5) / (by_hour.sum(axis=1) + 5)
    guess = (day[:, None] * hour[None, :]).ravel()
    return np.asarray((seen + PROFILE_PSEUDO_STORIES * guess) / (usual + PROFILE_PSEUDO_STORIES))


def _level_before(total: FloatArray, history: History, profile: FloatArray) -> FloatArray:
    """Level per hour [S, D + 1] as known at the start of each day, the last one being `as_of`."""
    size = total.shape[0]
    exposure = (profile[:, history.hours_of_week] * history.coverage).reshape(size, -1, 24).sum(axis=2)
    stories = total.reshape(size, -1, 24).sum(axis=2)
    seen, span = (_smooth_before(x, LONG_HALF_LIFE_DAYS) for x in (stories, exposure))
    long = (seen + LEVEL_PRIOR_STORIES) / (span + 1.0)
    seen, span = (_smooth_before(x, LEVEL_HALF_LIFE_DAYS) for x in (stories, exposure))
    return np.asarray((seen + LEVEL_LONG_STORIES) / (span + LEVEL_LONG_STORIES / long))


def _share_before(negative: FloatArray, total: FloatArray) -> FloatArray:
    """Negative share [S, D + 1] as known at the start of each day, leaning on that of a long time, and it on all."""
    size = total.shape[0]
    days = [x.reshape(size, -1, 24).sum(axis=2) for x in (negative, total)]
    bad, all_ = (_smooth_before(x, LONG_HALF_LIFE_DAYS) for x in days)
    trust = 1 / (1 + all_)
    pooled = ((bad * trust).sum(axis=0) + 1.0) / ((all_ * trust).sum(axis=0) + 4.0)
    long = (bad + SHARE_PSEUDO_STORIES * pooled) / (all_ + SHARE_PSEUDO_STORIES)
    bad, all_ = (_smooth_before(x, SHARE_HALF_LIFE_DAYS) for x in days)
    return np.asarray((bad + SHARE_LONG_STORIES * long) / (all_ + SHARE_LONG_STORIES))


def _settled(history: History, hours: int) -> FloatArray:
    """1 for windows [S, B] that come after enough days of the series for its level to be known, else 0."""
    covered = np.cumsum(history.coverage, axis=1)[:, hours - 1 :: hours]
    return np.asarray(covered >= SETTLING_DAYS * 24, dtype=float)


def _level_doubt(total: FloatArray) -> FloatArray:
    """Squared coefficient of variation of the level itself [S]: a series of few stories is not well known."""
    daily = total.reshape(len(total), -1, 24).sum(axis=2)
    return np.asarray(1 / (_known(daily, LEVEL_HALF_LIFE_DAYS, LEVEL_LONG_STORIES) + LEAST_KNOWN_STORIES))


def _share_doubt(total: FloatArray, share: FloatArray) -> FloatArray:
    """Likewise of the share [S], that of a beta distribution."""
    daily = total.reshape(len(total), -1, 24).sum(axis=2)
    stories = _known(daily, SHARE_HALF_LIFE_DAYS, SHARE_LONG_STORIES) + SHARE_PSEUDO_STORIES
    return np.asarray((1 - share) / share / (stories + 1))


def _known(daily: FloatArray, half_life_days: float, most_long: float) -> FloatArray:
    """Stories [S] that an estimate rests on: those of its half-life, and of the long one what it leans on."""
    short, long = (_smooth_before(daily, h)[:, -1] for h in (half_life_days, LONG_HALF_LIFE_DAYS))
    return np.asarray(short + np.minimum(most_long, long - short))


def _smooth_before(daily: FloatArray, half_life_days: float) -> FloatArray:
    """Exponentially weighted sums of the days before each day: [S, D] -> [S, D + 1]."""
    keep = _decay(half_life_days)
    sums = lfilter([1.0], [1.0, -keep], daily, axis=1)
    return np.concatenate([np.zeros((daily.shape[0], 1)), sums], axis=1)


def _expected(level: FloatArray, profile: FloatArray, history: History) -> FloatArray:
    """Stories expected per hour of the history [S, H], each day by what was known at its start."""
    return np.asarray(
        np.repeat(level[:, :-1], 24, axis=1) * profile[:, history.hours_of_week] * history.coverage
    )


def _winsorise(counts: FloatArray, mean: FloatArray) -> FloatArray:
    sd = np.sqrt(mean + TYPICAL_DISPERSION * mean**2)
    return np.minimum(counts, mean + WINSOR_SDS * sd + 1)


def _dispersion(
    negative: FloatArray, other: FloatArray, expected: FloatArray, share: FloatArray, history: History
) -> tuple[FloatArray, FloatArray]:
    """v and rho [S, W] by moments on non-overlapping windows, shrunk to the pool of all series."""
    by_hour = np.repeat(share[:, :-1], 24, axis=1)
    volume, shares = [], []
    for hours in WINDOW_HOURS:
        weight = _decay(DISPERSION_HALF_LIFE_DAYS) ** _block(_ages(history)[None, :], hours, mean=True)
        weight = weight * _settled(history, hours)
        k, m = _block(negative, hours), _block(other, hours)
        mu_k, mu_m = _block(expected * by_hour, hours), _block(expected * (1 - by_hour), hours)
        v = _moments(m, mu_m, 1 / np.maximum(mu_m, 1e-9), weight, VOLUME_CUT_SDS, VOLUME_CUT_KEEPS)
        a = 1 / v[:, None]
        c = mu_k * (a + m) / (a + mu_m)
        rho = _moments(k, c, 1 / np.maximum(c, 1e-9) + 1 / (a + m), weight, WINSOR_SDS, 1.0)
        volume.append(v)
        shares.append(rho)
    return np.stack(volume, axis=1), np.stack(shares, axis=1)


def _block(hourly: FloatArray, hours: int, mean: bool = False) -> FloatArray:
    blocks = hourly.reshape(hourly.shape[0], -1, hours)
    return np.asarray(blocks.mean(axis=2) if mean else blocks.sum(axis=2))


def _moments(
    seen: FloatArray, mean: FloatArray, noise: FloatArray, weight: FloatArray, cut_sds: float, keeps: float
) -> FloatArray:
    """Squared coefficient of variation [S] of `seen` around `mean` beyond its `noise` (relative variance [S, B]).

    Each window counts by its precision; deviations are cut at `cut_sds`, from the second round on by the result of the
    one before, so that the spikes of the past do not hide the next one; `keeps`: part of their square that is left.
    """
    mean = np.maximum(mean, 1e-3)
    value = TYPICAL_DISPERSION
    result = np.full((len(seen), 1), value)
    for _ in range(3):
        limit = mean * np.sqrt(noise + result)
        deviation = np.clip(seen - mean, -cut_sds * limit, cut_sds * limit)
        excess = (deviation / mean) ** 2 / keeps - noise
        precision = np.where(mean > 2e-3, weight / (noise + result) ** 2, 0.0)
        top, bottom = (precision * excess).sum(axis=1, keepdims=True), precision.sum(axis=1, keepdims=True)
        prior = DISPERSION_PSEUDO_WINDOWS / TYPICAL_DISPERSION**2
        trust = 1 / (1 + bottom / prior)
        pool = ((top * trust).sum() + prior * TYPICAL_DISPERSION) / ((bottom * trust).sum() + prior)
        result = np.clip((top + prior * pool) / (bottom + prior), *DISPERSION_RANGE)
    return np.asarray(result[:, 0])
