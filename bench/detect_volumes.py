"""Real volumes with planted spikes: `python bench/detect_volumes.py --data DIR [--seed N]`.

Tweets per quarter of an hour of five tickers, each thinned to six rates from 0.3 to 30 stories an hour, with a drawn
share of negatives; spikes are planted as in the simulation. Three weeks of warm-up, the rest is judged.
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
from pipeline.detect.judge import fit_thresholds, judge, with_rule
from pipeline.detect.rules import Rule
from pipeline.detect.simulate import Truth, World, expit, logit, plant, wander
from pipeline.detect.tick import everyone

RATES = (0.3, 0.8, 2.0, 5.0, 12.0, 30.0)
WARM_UP_WEEKS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=101)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    volumes = real_volumes(arguments.data)
    rate = np.concatenate([volumes / volumes.mean(axis=1, keepdims=True) * r / TICKS_PER_HOUR for r in RATES])
    usual = logit(rng.beta(4, 14, len(rate)))[:, None]
    share = expit(usual + wander(rng, *rate.shape, 0.35, hours=24.0))
    weeks = rate.shape[1] // TICKS_PER_DAY // 7
    world = World(
        seed=arguments.seed, series=len(rate), weeks=weeks, warm_up_weeks=WARM_UP_WEEKS, spikes=2 * len(rate)
    )
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
    for name, rule in (("FA 0.5", fitted), ("FA 0.1", replace(fitted, warning=fitted.critical))):
        j = judge(evaluated, walk(evaluated, with_rule(evaluated.crowd, rule)), truth, first)
        print(
            f"{name}: recall {j.recall:.3f} F1 {j.f1:.3f} delay {j.delay_hours:.2f} h, false {j.false_alarms:.2f}, {j.by_kind}"
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
