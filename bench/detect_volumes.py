"""Real volumes with planted spikes: `python bench/detect_volumes.py --data DIR [--seeds N ...]`.

Tweets per quarter of an hour of five tickers, each thinned to six rates from 0.3 to 30 stories an hour, with a drawn
share of negatives; spikes are planted as in the simulation. Three weeks of warm-up, the rest is judged. One draw holds
60 spikes, so its recall is known to .06 only: give it several seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.nab import read
from pipeline.detect.counts import TICK, TICKS_PER_DAY, TICKS_PER_HOUR, Counts
from pipeline.detect.course import evaluate_counts, walk
from pipeline.detect.judge import Judgement, fit_thresholds, judge, with_rule
from pipeline.detect.rules import Rule
from pipeline.detect.simulate import Truth, World, expit, logit, plant, wander
from pipeline.detect.tick import everyone

RATES = (0.3, 0.8, 2.0, 5.0, 12.0, 30.0)
WARM_UP_WEEKS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101])
    arguments = parser.parse_args()
    volumes = real_volumes(arguments.data)
    judged = [draw_and_judge(volumes, seed) for seed in arguments.seeds]
    for place, name in enumerate(("FA 0.5", "FA 0.1")):
        for seed, both in zip(arguments.seeds, judged, strict=True):
            print(f"{name} seed {seed}: {line([both[place]])}")
        print(f"{name} mean: {line([both[place] for both in judged])}", flush=True)


def draw_and_judge(volumes: np.ndarray, seed: int) -> tuple[Judgement, Judgement]:
    """Draws shares, stories and spikes for these volumes [5, T] and judges both budgets, 0.5 and 0.1."""
    rng = np.random.default_rng(seed)
    rate = np.concatenate([volumes / volumes.mean(axis=1, keepdims=True) * r / TICKS_PER_HOUR for r in RATES])
    usual = logit(rng.beta(4, 14, len(rate)))[:, None]
    share = expit(usual + wander(rng, *rate.shape, 0.35, hours=24.0))
    weeks = rate.shape[1] // TICKS_PER_DAY // 7
    world = World(seed=seed, series=len(rate), weeks=weeks, warm_up_weeks=WARM_UP_WEEKS, spikes=2 * len(rate))
    spikes, extra_negative, extra_other, share = plant(world, rng, rate, share, [])
    negative = rng.poisson(rate * share) + extra_negative
    other = rng.poisson(rate * (1 - share)) + extra_other
    names = tuple(f"{n}" for n in range(len(rate)))
    shape = negative.shape
    counts = Counts(
        datetime(2024, 1, 1, tzinfo=UTC),
        names,
        negative.astype(float),
        other.astype(float),
        np.ones(shape),
        np.zeros(shape),
    )
    evaluated = evaluate_counts(counts, everyone([Rule()] * len(rate)), count_only=False)
    truth, first = Truth(tuple(spikes)), WARM_UP_WEEKS * 7 * TICKS_PER_DAY
    fitted = fit_thresholds(evaluated, truth, first, Rule())
    warning, critical = (
        judge(evaluated, walk(evaluated, with_rule(evaluated.crowd, rule)), truth, first)
        for rule in (fitted, replace(fitted, warning=fitted.critical))
    )
    return warning, critical


def line(judged: list[Judgement]) -> str:
    """Means of the figures."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(j, name) for j in judged]))

    kinds = {k: round(float(np.mean([j.by_kind[k] for j in judged])), 2) for k in judged[0].by_kind}
    return (
        f"recall {mean('recall'):.3f} F1 {mean('f1'):.3f} delay {mean('delay_hours'):.2f} h,"
        f" false {mean('false_alarms'):.2f}, {kinds}"
    )


def real_volumes(folder: Path) -> np.ndarray:
    """Tweets per quarter of an hour [5, T], whole weeks that all tickers have."""
    series = [read(path) for path in sorted(folder.glob("Twitter_volume_*.csv"))]
    start = max(times[0] for times, _ in series).replace(hour=0, minute=0, second=0)
    end = min(times[-1] for times, _ in series)
    size = (end - start).days // 7 * 7 * TICKS_PER_DAY
    volumes = np.zeros((len(series), size))
    for row, (times, values) in zip(volumes, series, strict=True):
        for at, value in zip(times, values, strict=True):
            tick = int((at - start) / TICK) if at >= start else -1
            if 0 <= tick < size:
                row[tick] += value
    return volumes


if __name__ == "__main__":
    main()
