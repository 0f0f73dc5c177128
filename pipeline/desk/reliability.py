"""How far a stated probability can be believed: verdicts against labels, as a table and as a picture. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from model.labels import SENTIMENTS
from pipeline.label.intervals import wilson

# Side of the picture, and the margin around its plot, in units of the SVG.
SIZE, MARGIN = 220, 26


def counted_confusion(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Stories by label (rows) and verdict (columns); None without labels."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counts[row["label"], row["verdict"]] += row["stories"]
    if not counts:
        return None
    return {"labels": list(SENTIMENTS), "rows": [[counts[a, b] for b in SENTIMENTS] for a in SENTIMENTS]}


def reliability(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Per tenth of stated probability: its mean, the share that was right with its 95 % interval, stories; and the error.

    `error` is the expected calibration error: mean distance of the two, weighted by stories. None without labels.
    """
    bins: dict[int, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for row in rows:
        counted = bins[row["tenth"]]
        counted[0] += row["stories"]
        counted[1] += row["stories"] if row["label"] == row["verdict"] else 0
        counted[2] += row["stated_sum"]
    if not bins:
        return None
    table = [_bin(int(n), int(right), stated) for _, (n, right, stated) in sorted(bins.items())]
    everything = sum(row["stories"] for row in table)
    error = sum(row["stories"] * abs(row["stated"] - row["right"]) for row in table) / everything
    return {"bins": table, "error": error, "picture": _picture(table)}


def _bin(n: int, right: int, stated: float) -> dict[str, Any]:
    # however few they are: with a wide interval, not left out
    low, high = wilson(right, n)
    return {"stated": stated / n, "right": right / n, "low": low, "high": high, "stories": n}


def _picture(table: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Places in an SVG of SIZE: stated probability from left to right, share right from bottom to top, both 0 to 1."""
    inner = SIZE - 2 * MARGIN

    def x(value: float) -> float:
        return round(MARGIN + 8 + value * inner, 1)

    def y(value: float) -> float:
        return round(SIZE - MARGIN - value * inner, 1)

    most = max(row["stories"] for row in table)
    points = [
        {"x": x(r["stated"]), "y": y(r["right"]), "low": y(r["low"]), "high": y(r["high"]),
         "radius": round(2.5 + 3.5 * math.sqrt(r["stories"] / most), 1)} for r in table
    ]  # fmt: skip
    ticks = [{"x": x(v), "y": y(v), "value": v} for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return {"size": SIZE, "points": points, "ticks": ticks, "from": (x(0), y(0)), "to": (x(1), y(1))}
