"""How far people who labelled the same things agree, beyond what chance would give. Pure; no label is nan.

Cohen's kappa compares two labellers (Cohen 1960); Krippendorff's alpha any number of them, with gaps
(Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011). Both are 1 for perfect agreement and 0 for chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

Metric = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two labellers: how many things both labelled, the share they agree on, Cohen's kappa (None: not defined)."""

    one: str
    other: str
    items: int
    agreement: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Vote:
    """One verdict of one labeller on one thing."""

    thing: Hashable
    labeller: str
    value: Hashable


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Kappa of two labellers from (verdict of one, verdict of the other); None where chance explains everything."""
    n = len(pairs)
    if n == 0:
        return None
    observed = sum(one == other for one, other in pairs) / n
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(ones[value] * others[value] for value in ones) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def krippendorff_alpha(
    things: Iterable[Sequence[Any]], metric: Metric = "nominal", order: Sequence[Any] | None = None
) -> float | None:
    """Alpha over things, each the verdicts it got (gaps left out); things with fewer than two verdicts say nothing.

    `order` lists the values from lowest to highest for "ordinal". None where all verdicts are the same or too few.
    """
    coincidences: dict[tuple[Any, Any], float] = defaultdict(float)
    for verdicts in things:
        if len(verdicts) < 2:
            continue
        counts = Counter(verdicts)
        for a in counts:
            for b in counts:
                pairs = counts[a] * (counts[b] - (a == b))
                coincidences[a, b] += pairs / (len(verdicts) - 1)
    totals: dict[Any, float] = defaultdict(float)
    for (a, _), weight in coincidences.items():
        totals[a] += weight
    n = sum(totals.values())
    distance = _distance(metric, totals, order)
    observed = sum(weight * distance(a, b) for (a, b), weight in coincidences.items())
    expected = sum(totals[a] * totals[b] * distance(a, b) for a in totals for b in totals)
    return None if expected == 0 else 1 - (n - 1) * observed / expected


def _distance(
    metric: Metric, totals: Mapping[Any, float], order: Sequence[Any] | None
) -> Callable[[Any, Any], float]:
    if metric == "nominal":
        return lambda a, b: float(a != b)
    if metric == "interval":
        return lambda a, b: float((a - b) ** 2)
    ranked = list(order) if order is not None else sorted(totals)
    place = {value: i for i, value in enumerate(ranked)}

    def ordinal(a: Any, b: Any) -> float:
        low, high = sorted((place[a], place[b]))
        between = sum(totals.get(value, 0.0) for value in ranked[low : high + 1])
        return (between - (totals[a] + totals[b]) / 2) ** 2 if a != b else 0.0

    return ordinal


def agree_pairwise(votes: Iterable[Vote]) -> list[Pair]:
    """Every two labellers who labelled something in common, the busiest pair first."""
    shared: dict[tuple[str, str], list[tuple[Hashable, Hashable]]] = defaultdict(list)
    for of_thing in by_thing(votes).values():
        for (one, a), (other, b) in combinations(sorted(of_thing.items()), 2):
            shared[one, other].append((a, b))
    pairs = [
        Pair(one, other, len(both), sum(a == b for a, b in both) / len(both), cohen_kappa(both))
        for (one, other), both in shared.items()
    ]
    return sorted(pairs, key=lambda pair: (-pair.items, pair.one, pair.other))


def by_thing(votes: Iterable[Vote]) -> dict[Hashable, dict[str, Hashable]]:
    """Thing -> labeller -> verdict."""
    things: dict[Hashable, dict[str, Hashable]] = defaultdict(dict)
    for vote in votes:
        things[vote.thing][vote.labeller] = vote.value
    return things


def find_disputes(votes: Iterable[Vote]) -> list[Hashable]:
    """Things on which the labellers have no majority: nothing should be learnt from them until a third one looked."""
    return [thing for thing, of_thing in by_thing(votes).items() if majority(of_thing.values()) is None]


def majority(values: Iterable[Hashable]) -> Hashable | None:
    """The value that more than half of the labellers gave, or None."""
    counts = Counter(values)
    value, most = counts.most_common(1)[0]
    return value if 2 * most > sum(counts.values()) else None
