"""Which articles to label next: a mix of reasons, one article per story, never one kept for evaluation. Pure.

The random part is drawn first and from every story, asked for already or not: whether a story is in it says nothing
about the story, so labels with that reason estimate the model's accuracy without bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.values import REASONS, Reason

# Reasons to ask for what is labelled already. Only who has not labelled it can answer, so these places fill no queue.
AGAIN: tuple[Reason, ...] = ("disputed", "suspect")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A story that may be asked for, by its first article.

    uncertainty: 0 (sure) to 1; alert: it stands in the evidence of a recent alert; disputed: its labellers have no
    majority; drift: population stability index of its feed or topic, 0 where that is small; suspect: how likely its
    stored label is wrong, 0 to 1; asked: it is in the queue or labelled already; point: a fixed random number in
    [0, 1) of the story, 1 where it is not to be drawn; frozen: kept for evaluation.
    """

    article_id: int
    story_id: int
    uncertainty: float
    point: float
    alert: bool = False
    disputed: bool = False
    drift: float = 0.0
    suspect: float = 0.0
    asked: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    """An article to ask for, why, and its place: priority in (0, 1], higher first."""

    article_id: int
    reason: Reason
    priority: float


def uncertainty(probabilities: Sequence[float]) -> float:
    """How undecided a model is: 1 - (best - second best), 0 to 1."""
    first, second = sorted(probabilities, reverse=True)[:2]
    return 1.0 - (first - second)


def choose(
    candidates: Iterable[Candidate],
    mix: Mapping[Reason, float],
    size: int,
    beside: Mapping[Reason, int] | None = None,
) -> list[Queued]:
    """At most `size` new articles by the shares of `mix`, in the order to ask for them; those in `beside` get so many more.

    A reason without enough candidates leaves its places to uncertainty; so do reasons in `beside` with their share, and
    the random draw with what it spent on stories asked for already. Two articles of one story are never chosen.
    """
    beside = beside or {}
    pool = {c.story_id: c for c in sorted(candidates, key=lambda c: -c.article_id) if not c.frozen}
    places = share_out(mix, size)
    chosen: dict[Reason, list[Candidate]] = {}
    spare = sum(places.get(reason, 0) for reason in beside)
    for reason in ("random", "disputed", "suspect", "alert", "drift", "uncertain"):
        wanted = beside.get(reason, places.get(reason, 0)) + (spare if reason == "uncertain" else 0)
        fitting = sorted(filter(_FITS[reason], pool.values()), key=_ORDER[reason])[:wanted]
        if reason not in beside:
            spare += wanted - sum(not (reason == "random" and candidate.asked) for candidate in fitting)
        chosen[reason] = fitting
        for candidate in fitting:
            del pool[candidate.story_id]
    return _interleave(chosen)


_FITS: dict[Reason, Callable[[Candidate], bool]] = {
    "random": lambda c: c.point < 1,
    "disputed": lambda c: c.disputed,
    "suspect": lambda c: c.suspect > 0,
    "alert": lambda c: c.alert and not c.asked,
    "drift": lambda c: c.drift > 0 and not c.asked,
    "uncertain": lambda c: not c.asked,
}
_ORDER: dict[Reason, Callable[[Candidate], tuple[float, float]]] = {
    "random": lambda c: (c.point, 0.0),
    "disputed": lambda c: (-c.uncertainty, c.point),
    "suspect": lambda c: (-c.suspect, c.point),
    "alert": lambda c: (-c.uncertainty, c.point),
    "drift": lambda c: (-c.drift, c.point),
    "uncertain": lambda c: (-c.uncertainty, c.point),
}


def share_out(mix: Mapping[Reason, float], size: int) -> dict[Reason, int]:
    """Whole places by largest remainder; they add up to `size`."""
    exact = {reason: share * size for reason, share in mix.items()}
    places = {reason: math.floor(value) for reason, value in exact.items()}
    by_remainder = sorted(exact, key=lambda reason: (places[reason] - exact[reason], REASONS.index(reason)))
    for reason in by_remainder[: size - sum(places.values())]:
        places[reason] += 1
    return places


def _interleave(chosen: Mapping[Reason, Sequence[Candidate]]) -> list[Queued]:
    """Reasons spread evenly, so that a labeller who stops early has labelled by the same mix."""
    spread = [
        ((i + 0.5) / len(found), REASONS.index(reason), reason, candidate)
        for reason, found in chosen.items()
        for i, candidate in enumerate(found)
    ]
    spread.sort(key=lambda item: item[:2])
    return [
        Queued(candidate.article_id, reason, 1.0 - i / len(spread))
        for i, (_, _, reason, candidate) in enumerate(spread)
    ]
