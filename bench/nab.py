"""Numenta Anomaly Benchmark, realTweets: `python bench/nab.py --data DIR` (CSV files and windows.json).

Scored as NAB's own scorer does with the standard profile (true positive 1, false positive 0.11, false negative 1;
probation 15 % of the rows, at most 750). The threshold of each series is the one that is best on the others.
"""

from __future__ import annotations

import argparse
import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipeline.detect.counts import TICK, TICKS_PER_DAY, Counts
from pipeline.detect.course import evaluate_counts
from pipeline.detect.rules import Rule
from pipeline.detect.tick import everyone

FALSE_POSITIVE = 0.11
# A score counts when it is a new high of the last day: an alert is told once, not every quarter of an hour.
ONSET_TICKS = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    windows = json.loads((folder / "windows.json").read_text())
    series = {name: read(folder / name) for name in sorted(windows)}
    curves = {}
    for name, (times, values) in series.items():
        rows = score_rows(times, values)
        curves[name] = sweep(rows, [(times.index(parse(a)), times.index(parse(b))) for a, b in windows[name]])
    raw = {name: chosen(name, curves) for name in curves}
    sizes = {name: len(windows[name]) for name in curves}
    for name in curves:
        own = max(score for _, score in curves[name])
        print(
            f"{name}: {normal(raw[name], sizes[name]):.1f} (best of its own {normal(own, sizes[name]):.1f})"
        )
    total = sum(sizes.values())
    print(f"leave one series out: {normal(sum(raw.values()), total):.1f}")
    thresholds = sorted({t for curve in curves.values() for t, _ in curve})
    together = max(sum(at(curve, t) for curve in curves.values()) for t in thresholds)
    print(f"one threshold, chosen on all (as NAB's leaderboard does): {normal(together, total):.1f}")


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(microsecond=0, tzinfo=UTC)


def read(path: Path) -> tuple[list[datetime], list[float]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [parse(r["timestamp"]) for r in rows], [float(r["value"]) for r in rows]


def score_rows(times: list[datetime], values: list[float]) -> np.ndarray:
    """A score for each row: that of the quarter of an hour which the row ends, 0 for the others."""
    start = times[0].replace(hour=0, minute=0, second=0)
    days = (times[-1] - start).days + 1
    ticks = np.array([int((t - start) / TICK) for t in times])
    shape = (1, days * TICKS_PER_DAY)
    negative, coverage = np.zeros(shape), np.zeros(shape)
    np.add.at(negative[0], ticks, values)
    coverage[0, ticks[0] : ticks[-1] + 1] = 1.0
    counts = Counts(start, ("series",), negative, np.zeros(shape), coverage, np.zeros(shape))
    crowd = everyone([Rule()])
    found = evaluate_counts(counts, crowd, count_only=True).findings
    score = np.where(np.isfinite(found.score[0]), found.score[0], 0.0)
    onset = np.array(
        [s if s > score[max(0, n - ONSET_TICKS) : n].max(initial=0.0) else 0.0 for n, s in enumerate(score)]
    )
    last = np.append(ticks[1:] != ticks[:-1], True)
    return np.where(last, onset[ticks], 0.0)


def sweep(scores: np.ndarray, windows: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """(threshold, raw score) for every threshold, the highest first."""
    probation = min(int(0.15 * len(scores)), 750)
    parts: dict[int, float] = dict.fromkeys(range(len(windows)), -1.0)
    false = 0.0
    curve = [(np.inf, -float(len(windows)))]
    order = np.argsort(-scores[probation:], kind="stable") + probation
    for i in order:
        if scores[i] <= 0:
            break
        inside = next((n for n, (a, b) in enumerate(windows) if a <= i <= b), None)
        if inside is not None:
            a, b = windows[inside]
            value = sigmoid(-(b - i + 1) / (b - a + 1)) / sigmoid(-1.0)
            parts[inside] = max(parts[inside], value)
        else:
            before = [(a, b) for a, b in windows if b < i]
            past = (i - before[-1][1]) / (before[-1][1] - before[-1][0]) if before else 3.0
            false += FALSE_POSITIVE * (-1.0 if past >= 3 else sigmoid(past))
        curve.append((float(scores[i]), sum(parts.values()) + false))
    return curve


def sigmoid(position: float) -> float:
    """NAB's scaled sigmoid: near 1 at the left edge of a window (-1), 0 at its right edge, down to -1 behind it."""
    return float(2 / (1 + np.exp(5 * position)) - 1)


def at(curve: list[tuple[float, float]], threshold: float) -> float:
    return [score for t, score in curve if t >= threshold][-1]


def chosen(name: str, curves: dict[str, list[tuple[float, float]]]) -> float:
    """Raw score of a series at the threshold that is best on all others."""
    others = [curve for other, curve in curves.items() if other != name]
    thresholds = sorted({t for curve in others for t, _ in curve})
    best = max(thresholds, key=lambda t: sum(at(curve, t) for curve in others))
    return at(curves[name], best)


def normal(raw: float, windows: int) -> float:
    """100 for all windows found at once without a false alarm, 0 for a detector that says nothing."""
    return 100 * (raw + windows) / (2 * windows)


if __name__ == "__main__":
    main()
