"""A world with a known truth: series of stories with planted spikes and every nuisance that fools detectors.

`simulate_world` draws 15-minute counts of distinct stories the way a newsroom's feeds would bring them: daily and
weekly curves, wandering volumes and shares, syndication whose copies are not all found, holidays, outages, benign
surges and market-wide bad days. Pure: the same seed gives the same world.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipeline.detect.counts import TICKS_PER_DAY, TICKS_PER_HOUR, Counts

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

KINDS = ("small", "medium", "large", "share", "slow")
# (fewest extra stories, times the usual volume that they make of it)
EXTRA = {"small": (6.0, 1.5), "medium": (12.0, 4.0), "large": (30.0, 10.0), "slow": (12.0, 1.2)}
SHARE_DURING_SHARE_SPIKE = 0.67
NEGATIVE_PART_OF_EXTRA = 0.8


@dataclass(frozen=True)
class World:
    """What is drawn. Rates are stories per hour; times are ticks of 15 minutes."""

    seed: int = 0
    series: int = 150
    weeks: int = 20
    warm_up_weeks: int = 6
    spikes: int = 600
    lowest_rate: float = 0.05
    highest_rate: float = 80.0
    copies_found: float = 0.92
    volume_sd: float = 0.3
    share_sd: float = 0.35
    surges_per_month: float = 0.5
    bursts_per_month: float = 0.5
    outages_per_month: float = 1.0
    market_days: int = 2

    @property
    def ticks(self) -> int:
        return self.weeks * 7 * TICKS_PER_DAY

    @property
    def months(self) -> float:
        """Months of 30 days that are judged."""
        return (self.weeks - self.warm_up_weeks) * 7 / 30


@dataclass(frozen=True)
class Event:
    """Something that happened in the simulated world: ticks [start, end) of one series (-1: all)."""

    kind: str
    series: int
    start: int
    end: int


@dataclass(frozen=True)
class Truth:
    """What was planted and what was put in the detector's way."""

    spikes: tuple[Event, ...]
    nuisances: tuple[Event, ...] = field(default=())


def simulate_world(world: World) -> tuple[Counts, Truth]:
    """The counts of a simulated world [series, ticks] and the truth about them."""
    rng = np.random.default_rng(world.seed)
    rate, share = _usual_rates(world, rng)
    nuisances = _disturb(world, rng, rate, share)
    spikes, extra_negative, extra_other, share = plant(world, rng, rate, share, nuisances)
    negative = rng.poisson(rate * share) + extra_negative
    other = rng.poisson(rate * (1 - share)) + extra_other
    negative, other, copies = _syndicate(world, rng, negative, other, nuisances)
    coverage = np.ones(rate.shape)
    nuisances += _break_feeds(world, rng, negative, other, copies, coverage)
    names = tuple(f"series-{i:03d}" for i in range(world.series))
    start = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
    counts = Counts(start, names, negative.astype(float), other.astype(float), coverage, copies.astype(float))
    return counts, Truth(tuple(spikes), tuple(nuisances))


def _usual_rates(world: World, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Stories per tick and negative share [series, ticks] on ordinary days."""
    size, ticks = world.series, world.ticks
    days = np.arange(ticks) / TICKS_PER_DAY
    base = np.exp(rng.uniform(np.log(world.lowest_rate), np.log(world.highest_rate), size)) / TICKS_PER_HOUR
    curves = _daily_curves(rng, ticks)[rng.integers(0, 3, size)]
    noise = wander(rng, size, ticks, world.volume_sd, hours=12.0)
    drift = np.exp(rng.normal(0, 0.05, (size, 1)) * days / 7)
    level = np.ones((size, ticks))
    for i in np.flatnonzero(rng.random(size) < 0.2):
        level[i, rng.integers(ticks // 5, ticks) :] = rng.choice([0.5, 0.67, 1.5, 2.0, 3.0])
    rate = base[:, None] * curves * np.exp(noise - world.volume_sd**2 / 2) * drift * level
    usual = logit(rng.beta(4, 14, size))[:, None] + rng.normal(0, 0.03, (size, 1)) * days / 7
    return rate, expit(usual + wander(rng, size, ticks, world.share_sd, hours=24.0))


def _daily_curves(rng: np.random.Generator, ticks: int) -> FloatArray:
    """Three regional curves over the week [3, ticks], mean 1."""
    hour = np.arange(ticks) / TICKS_PER_HOUR
    weekday = (hour // 24).astype(int) % 7
    factors = np.array([1.0, 1.1, 1.1, 1.05, 0.95, 0.4, 0.45])
    curves = []
    for peak in (6.0, 11.0, 17.0):
        day = 0.25 + np.exp(1.5 * np.cos((hour % 24 - peak) * 2 * np.pi / 24)) / 2
        curves.append(day * factors[weekday] * np.exp(rng.normal(0, 0.05, 7))[weekday])
    stacked = np.array(curves)
    return np.asarray(stacked / stacked[:, : 7 * TICKS_PER_DAY].mean(axis=1, keepdims=True))


def wander(rng: np.random.Generator, size: int, ticks: int, sd: float, hours: float) -> FloatArray:
    """A stationary AR(1) path [size, ticks] with the given standard deviation and time constant."""
    phi = np.exp(-1 / (hours * TICKS_PER_HOUR))
    steps = rng.normal(0, sd * np.sqrt(1 - phi**2), (size, ticks))
    steps[:, 0] = rng.normal(0, sd, size)
    return np.asarray(lfilter([1.0], [1.0, -phi], steps, axis=1))


def _disturb(world: World, rng: np.random.Generator, rate: FloatArray, share: FloatArray) -> list[Event]:
    """Benign surges, holidays and market-wide bad days, drawn into `rate` and `share` in place."""
    warm = world.warm_up_weeks * 7 * TICKS_PER_DAY
    events: list[Event] = []
    for i in range(world.series):
        for start in _starts(world, rng, world.surges_per_month):
            end = start + TICKS_PER_HOUR * int(rng.choice([2, 8, 24]))
            rate[i, start:end] *= rng.uniform(3, 10)
            events.append(Event("surge", i, start, end))
    for day in rng.choice(world.weeks * 7, world.weeks // 4, replace=False):
        start, end = int(day) * TICKS_PER_DAY, (int(day) + 1) * TICKS_PER_DAY
        touched = rng.random(world.series) < 0.4
        rate[touched, start:end] *= 0.35
        events.append(Event("holiday", -1, start, end))
    for day in rng.choice(
        np.arange(warm // TICKS_PER_DAY + 3, world.weeks * 7 - 1), world.market_days, False
    ):
        start = int(day) * TICKS_PER_DAY + int(rng.integers(4, 10)) * TICKS_PER_HOUR
        end = start + 10 * TICKS_PER_HOUR
        sensitivity = rng.uniform(0.6, 1.6, (world.series, 1))
        share[:, start:end] = expit(logit(share[:, start:end]) + sensitivity)
        rate[:, start:end] *= 1 + 0.4 * sensitivity
        events.append(Event("market", -1, start, end))
    for i in range(world.series):
        for start in _starts(world, rng, world.bursts_per_month):
            events.append(Event("burst", i, start, start + 8 * TICKS_PER_HOUR))
    return events


def plant(
    world: World, rng: np.random.Generator, rate: FloatArray, share: FloatArray, nuisances: list[Event]
) -> tuple[list[Event], IntArray, IntArray, FloatArray]:
    """The spikes: extra stories (mostly negative), or a share that jumps."""
    warm = world.warm_up_weeks * 7 * TICKS_PER_DAY
    taken = np.zeros(rate.shape, dtype=bool)
    for event in nuisances:
        if event.kind in ("market", "surge", "burst"):
            rows = slice(None) if event.series < 0 else event.series
            taken[rows, max(0, event.start - TICKS_PER_DAY) : event.end + TICKS_PER_DAY] = True
    extra = np.zeros((2, *rate.shape), dtype=np.int64)
    spikes: list[Event] = []
    share = share.copy()
    while len(spikes) < world.spikes:
        kind = KINDS[len(spikes) % len(KINDS)]
        i = int(rng.integers(world.series))
        length = TICKS_PER_HOUR * (72 if kind == "slow" else int(rng.choice([2, 8, 24])))
        start = int(rng.integers(warm, world.ticks - length - TICKS_PER_DAY))
        end = start + length
        if taken[i, start:end].any():
            continue
        taken[i, max(0, start - 2 * TICKS_PER_DAY) : end + 2 * TICKS_PER_DAY] = True
        spikes.append(Event(kind, i, start, end))
        if kind == "share":
            share[i, start:end] = SHARE_DURING_SHARE_SPIKE
            continue
        fewest, ratio = EXTRA[kind]
        total = max(int(fewest), rng.poisson(max(fewest, (ratio - 1) * float(rate[i, start:end].sum()))))
        negative = rng.binomial(total, NEGATIVE_PART_OF_EXTRA)
        for layer, number in enumerate((negative, total - negative)):
            at = start + np.floor((1 - np.sqrt(rng.random(number))) * length).astype(int)  # most of it early
            np.add.at(extra[layer, i], at, 1)
    return spikes, extra[0], extra[1], share


def _syndicate(
    world: World, rng: np.random.Generator, negative: IntArray, other: IntArray, nuisances: list[Event]
) -> tuple[IntArray, IntArray, IntArray]:
    """Adds the copies that were not found as stories of their own; counts the negative copies that were found."""
    copies = np.zeros(negative.shape, dtype=np.int64)
    counted = []
    for layer, stories in enumerate((negative, other)):
        row, tick = np.nonzero(stories)
        times = rng.binomial(stories[row, tick], 0.3)
        row, tick = np.repeat(row, times), np.repeat(tick, times)
        number = np.minimum(80, np.floor(rng.pareto(1.3, len(row)) + 1).astype(np.int64))
        if layer == 0:
            bursts = [e for e in nuisances if e.kind == "burst"]
            row = np.concatenate([row, np.array([e.series for e in bursts], dtype=row.dtype)])
            tick = np.concatenate([tick, np.array([e.start for e in bursts], dtype=tick.dtype)])
            number = np.concatenate([number, rng.integers(40, 151, len(bursts))])
        row, tick = np.repeat(row, number), np.repeat(tick, number)
        tick = tick + (rng.exponential(2.0 * TICKS_PER_HOUR, len(tick))).astype(np.int64)
        inside = tick < world.ticks
        found = rng.random(len(tick)) < world.copies_found
        counted.append(stories + _histogram(row, tick, inside & ~found, stories.shape))
        if layer == 0:
            copies = _histogram(row, tick, inside & found, stories.shape)
    return counted[0], counted[1], copies


def _break_feeds(
    world: World,
    rng: np.random.Generator,
    negative: IntArray,
    other: IntArray,
    copies: IntArray,
    coverage: FloatArray,
) -> list[Event]:
    """Outages of a part of the feeds, half of them followed by a backfill; changes the counts in place."""
    events = []
    for start in _starts(world, rng, world.outages_per_month):
        length = TICKS_PER_HOUR * int(rng.integers(2, 25))
        end = min(start + length, world.ticks - 1)
        rows = np.flatnonzero(rng.random(world.series) < 0.4)
        part = rng.uniform(0.3, 1.0)
        backfilled = rng.random() < 0.5
        coverage[rows, start:end] *= 1 - part
        for counts in (negative, other, copies):
            lost = rng.binomial(counts[rows, start:end], part)
            counts[rows, start:end] -= lost
            if backfilled:  # what was published in the last 6 h before its arrival counts live
                counts[rows, end] += lost[:, -6 * TICKS_PER_HOUR :].sum(axis=1)
        events += [Event("outage", int(i), start, end + 24 * TICKS_PER_HOUR) for i in rows]
    return events


def _starts(world: World, rng: np.random.Generator, per_month: float) -> list[int]:
    """Start ticks of a Poisson process over the whole time."""
    number = rng.poisson(per_month * world.weeks * 7 / 30)
    return [int(t) for t in rng.integers(0, world.ticks - 3 * TICKS_PER_DAY, number)]


def _histogram(row: IntArray, tick: IntArray, chosen: NDArray[np.bool_], shape: tuple[int, ...]) -> IntArray:
    flat = np.bincount(row[chosen] * shape[1] + tick[chosen], minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def logit(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(p / (1 - p)))


def expit(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))
