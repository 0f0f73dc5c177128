"""How far the news and the verdicts have moved, by effect size: with ten thousand stories every p-value is small. Pure.

The population stability index compares two distributions: below 0.1 they are alike, above 0.25 something changed.
What chance alone gives two samples of these sizes is taken off.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.label.intervals import wilson

SMALL, LARGE = 0.10, 0.25
# Stories of a subject that both periods must have; with fewer the index is noise.
LEAST_STORIES = 100
# Random labels of a subject from which its accuracy is told.
LEAST_LABELS = 30
# A feed that has less than this share of the reference period is new.
NEW_FEED_SHARE = 0.002
# Upper ends of the bins: words of a text, digits per 100 characters, confidence of the verdict.
WORDS = (8, 15, 25, 40, 60, 90, 150)
DIGITS = (0.5, 1.5, 3, 5, 8)
CONFIDENCE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Seen:
    """A story that the champion read: its feed, what it looks like, what was said of it."""

    feed: str
    words: int
    digits: float
    topic: str
    sentiment: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Checked:
    """A random label beside the champion's verdict."""

    feed: str
    topic: str
    right: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """One line of the report: kind input, output or accuracy; subject all, topic:<name> or feed:<name>."""

    kind: str
    subject: str
    effect: float
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of time and the stories in it."""

    start: datetime
    end: datetime
    stories: tuple[Seen, ...]


def stability_index(before: Iterable[Hashable], now: Iterable[Hashable]) -> float:
    """Population stability index of two samples of bins, less what chance gives samples of these sizes; 0 or more."""
    first, second = Counter(before), Counter(now)
    n, m = sum(first.values()), sum(second.values())
    bins = first.keys() | second.keys()
    if not n or not m:
        return 0.0
    index = 0.0
    for value in bins:
        # half a story more in each bin: an empty one must not make the index infinite
        p = (first[value] + 0.5) / (n + 0.5 * len(bins))
        q = (second[value] + 0.5) / (m + 0.5 * len(bins))
        index += (q - p) * math.log(q / p)
    return max(0.0, index - (len(bins) - 1) * (1 / n + 1 / m))


def measure_drift(before: Period, now: Period) -> list[Drift]:
    """Drift of inputs and outputs between two periods: over all, per topic, per feed; largest effect first.

    Where a feed is new, the drift over all is measured again without it and laid at its door if it goes away.
    """
    found = []
    new = new_feeds(before.stories, now.stories)
    for kind, measure in (("input", input_index), ("output", output_index)):
        found += _over_all(kind, measure, before, now, new)
        # a topic is a verdict: what it says of inputs is the output's drift
        for prefix in ("topic", "feed") if kind == "output" else ("feed",):
            for name in sorted({getattr(s, prefix) for s in now.stories} - new):
                found += _of_subject(kind, f"{prefix}:{name}", measure, before, now, _is(prefix, name))
    found += [_new_feed(name, before, now) for name in sorted(new)]
    return sorted(found, key=lambda drift: (-drift.effect, drift.kind, drift.subject))


Measure = Callable[[Sequence[Seen], Sequence[Seen]], dict[str, float]]


def input_index(before: Sequence[Seen], now: Sequence[Seen]) -> dict[str, float]:
    """Index of the length, of the digits, and (over several feeds) of the mix of feeds."""
    return {
        "length": stability_index(*(([_bin(s.words, WORDS) for s in side]) for side in (before, now))),
        "digits": stability_index(*(([_bin(s.digits, DIGITS) for s in side]) for side in (before, now))),
        "feeds": stability_index([s.feed for s in before], [s.feed for s in now]),
    }


def output_index(before: Sequence[Seen], now: Sequence[Seen]) -> dict[str, float]:
    """Index of the verdicts, of how sure they are, and of the topics."""
    return {
        "sentiment": stability_index([s.sentiment for s in before], [s.sentiment for s in now]),
        "confidence": stability_index(
            *(([_bin(s.confidence, CONFIDENCE) for s in side]) for side in (before, now))
        ),
        "topics": stability_index([s.topic for s in before], [s.topic for s in now]),
    }


def _bin(value: float, ends: Sequence[float]) -> int:
    return sum(value > end for end in ends)


def new_feeds(before: Sequence[Seen], now: Sequence[Seen]) -> set[str]:
    """Feeds of now that the reference period hardly knew, with enough stories to matter."""
    known, seen = Counter(s.feed for s in before), Counter(s.feed for s in now)
    return {
        feed
        for feed, n in seen.items()
        if n >= LEAST_STORIES / 4 and known[feed] < NEW_FEED_SHARE * max(1, len(before))
    }


def _over_all(kind: str, measure: Measure, before: Period, now: Period, new: set[str]) -> list[Drift]:
    found = _of_subject(kind, "all", measure, before, now, lambda s: True)
    if not found or not new or found[0].effect < SMALL:
        return found
    without = _of_subject(kind, "all", measure, before, now, lambda s: s.feed not in new)
    rest = without[0].effect if without else 0.0
    cause: dict[str, Any] = {"without_new_feeds": round(rest, 4)}
    if rest < SMALL:
        cause["cause"] = f"new feed {', '.join(sorted(new))}"
    return [Drift(kind, "all", found[0].effect, found[0].detail | cause)]


def _is(attribute: str, name: str) -> Callable[[Seen], bool]:
    return lambda story: bool(getattr(story, attribute) == name)


def _of_subject(
    kind: str,
    subject: str,
    measure: Measure,
    before: Period,
    now: Period,
    belongs: Callable[[Seen], bool],
) -> list[Drift]:
    first, second = ([s for s in side.stories if belongs(s)] for side in (before, now))
    if min(len(first), len(second)) < LEAST_STORIES:
        return []
    parts = {name: round(value, 4) for name, value in measure(first, second).items()}
    counts = {"stories_before": len(first), "stories_now": len(second)}
    return [Drift(kind, subject, max(parts.values()), {**parts, **counts, **_times(before, now)})]


def _new_feed(name: str, before: Period, now: Period) -> Drift:
    """A new feed against all that was known before it came: how unlike the rest it is."""
    own = [s for s in now.stories if s.feed == name]
    parts = input_index(before.stories, own) | output_index(before.stories, own)
    del parts["feeds"]
    detail: dict[str, Any] = {key: round(value, 4) for key, value in parts.items()}
    detail |= {"stories_now": len(own), "cause": f"new feed {name}", **_times(before, now)}
    return Drift("input", f"feed:{name}", max(parts.values()), detail)


def _times(before: Period, now: Period) -> dict[str, str]:
    return {
        "reference": f"{before.start.isoformat()}/{before.end.isoformat()}",
        "period": f"{now.start.isoformat()}/{now.end.isoformat()}",
    }


def estimate_accuracy(checked: Sequence[Checked]) -> list[Drift]:
    """Share of random labels that the champion has right, with its 95 % interval: over all, per topic, per feed."""
    groups: dict[str, list[bool]] = {}
    for one in checked:
        for subject in ("all", f"topic:{one.topic}", f"feed:{one.feed}"):
            groups.setdefault(subject, []).append(one.right)
    found = []
    for subject, rights in sorted(groups.items()):
        if len(rights) >= LEAST_LABELS:
            low, high = wilson(sum(rights), len(rights))
            detail = {"labels": len(rights), "low": round(low, 4), "high": round(high, 4)}
            found.append(Drift("accuracy", subject, sum(rights) / len(rights), detail))
    return found


def tell_drift(found: Sequence[Drift], expected_accuracy: float | None) -> list[str]:
    """What an operator should know, as sentences; empty when nothing moved much."""
    lines = []
    for drift in found:
        if drift.kind == "accuracy":
            high = drift.detail["high"]
            if drift.subject == "all" and expected_accuracy is not None and high < expected_accuracy:
                lines.append(
                    f"Accuracy on {drift.detail['labels']} random labels is {drift.effect:.1%} (at most {high:.1%}); it was "
                    f"{expected_accuracy:.1%} when the champion was promoted. Retraining may help."
                )
        elif drift.effect >= LARGE:
            why = drift.detail.get("cause")
            what = "What comes in" if drift.kind == "input" else "What the model says"
            of = "" if drift.subject == "all" else f" of {drift.subject.replace(':', ' ')}"
            lines.append(f"{what}{of} has moved (index {drift.effect:.2f}){f': {why}' if why else ''}.")
    return lines
