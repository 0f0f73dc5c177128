"""The evidence of an alert as plain data: the figures, the stories behind them, and what would not have fired. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy.stats import nbinom

from pipeline.detect.alerts import Cause
from pipeline.detect.baseline import EPOCH_MONDAY, HOURS_PER_WEEK, Baseline
from pipeline.types import Series, Severity

Story = Mapping[str, Any]
# (negative, other, copies) of the window -> score, and whether the rule would fire on it.
Reconsider = Callable[[int, int, int], tuple[float, bool]]

# Stories and carriers that a card shows; a reader does not scan more.
MOST_STORIES = 8
MOST_CARRIERS = 4
CHART_HOURS = 72
# Part of the negative stories that a doubtful cause must explain to be named.
CAUSE_PART = 0.6
# Stories that arrive together without a date are taken for a backlog from so many on.
BACKLOG_STORIES = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """The window that fired, and the versions it depended on.

    `copies`: further articles of negative stories that the window counted. `market_factor`: None where it was not kept.
    """

    tick_at: datetime
    window_hours: int
    negative: int
    other: int
    copies: int
    expected: float
    variance: float
    p: float
    score: float
    share_usual: float
    market_factor: float | None
    baseline_date: str
    rule_version: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Around:
    """What a cause is judged by: feeds older than `learning_since` are known; `lone_feed`: there is only one."""

    market: bool
    promoted: bool
    learning_since: datetime
    oldest_feed_at: datetime | None
    lone_feed: bool


def build_evidence(
    series: Series,
    severity: Severity,
    figures: Figures,
    stories: Sequence[Story],
    sources: int,
    carriers: Sequence[Mapping[str, Any]],
    chart: Sequence[Mapping[str, Any]],
    cause: Cause | None,
    reconsider: Reconsider | None,
) -> dict[str, Any]:
    """The card that messages, desk and history show; JSON-able, times as ISO 8601.

    `sources`: distinct outlets among all articles of the negative stories, whoever had them first.
    Without `reconsider` (a window of the past) it does not say what would have fired without some stories.
    """
    negative = [s for s in stories if s["sentiment"] == "negative"]
    stories_in_window = figures.negative + figures.other
    return {
        "series": {"kind": series.kind, "key": series.key, "title": series.title},
        "severity": severity,
        "negative": figures.negative,
        "other": figures.other,
        "expected": short(figures.expected),
        "variance": short(figures.variance),
        "p": short(figures.p),
        "score": short(figures.score),
        "window_hours": figures.window_hours,
        "window_start": (figures.tick_at - timedelta(hours=figures.window_hours)).isoformat(),
        "window_end": figures.tick_at.isoformat(),
        "share_now": short(figures.negative / stories_in_window) if stories_in_window else None,
        "share_usual": short(figures.share_usual),
        "sources": sources,
        "copies": sum(s["copies"] - 1 for s in negative),
        "baseline_date": figures.baseline_date,
        "rule_version": figures.rule_version,
        "model_version": figures.model_version,
        "market_factor": None if figures.market_factor is None else short(figures.market_factor),
        "cause": cause,
        "carried_by": [
            {"kind": c["kind"], "key": c["key"], "title": c["title"], "negative": int(c["negative"])}
            for c in carriers
            if c["kind"] != "all" and c["negative"] > len(negative) / 4
        ][:MOST_CARRIERS],
        "without_largest_story": _without_story(figures, negative, reconsider) if reconsider else None,
        "without_largest_source": _without_source(figures, stories, reconsider) if reconsider else None,
        "stories": _top(negative),
        "chart": list(chart),
    }


def name_cause(stories: Sequence[Story], around: Around) -> Cause | None:
    """Why it may be no news, or that it is everybody's: the first that holds."""
    negative = [s for s in stories if s["sentiment"] == "negative"]
    if around.market:
        return "market_wide"
    if around.promoted:
        return "model_promotion"
    if not negative:
        return None
    enough = CAUSE_PART * len(negative)
    if _from_new_feeds(negative, around) >= enough:
        return "new_feed"
    if _in_one_backlog(negative) >= max(enough, BACKLOG_STORIES):
        return "backfill"
    if (
        len({s["source"] for s in negative}) == 1
        and all(map(_told_by_one, negative))
        and not around.lone_feed
    ):
        return "one_source"
    return None


def chart_points(
    baseline: Baseline, series: int, end: datetime, seen: Mapping[datetime, int]
) -> list[dict[str, Any]]:
    """Hours before `end` with the negative stories seen and the band in which 95 % of usual hours lie."""
    last = end.replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=n) for n in range(CHART_HOURS - 1, -1, -1)]
    of_week = [int((h - EPOCH_MONDAY).total_seconds() // 3600) % HOURS_PER_WEEK for h in hours]
    mean = baseline.level[series] * baseline.share[series] * baseline.profile[series, of_week]
    mean = np.maximum(mean, 1e-4)
    spread = mean**2 * (baseline.volume_cv2[series, 0] + baseline.share_cv2[series, 0])
    size, p = mean**2 / spread, mean / (mean + spread)
    low, high = nbinom.ppf(0.025, size, p), nbinom.ppf(0.975, size, p)
    return [
        {
            "at": at.isoformat(),
            "negative": int(seen.get(at, 0)),
            "expected": short(mean[n]),
            "low": float(low[n]),
            "high": float(high[n]),
        }
        for n, at in enumerate(hours)
    ]


def _top(negative: Sequence[Story]) -> list[dict[str, Any]]:
    total = sum(s["probability"] or 0.0 for s in negative) or 1.0
    # by title before id: in which order stories were stored must not matter
    ranked = sorted(
        negative, key=lambda s: (-(s["probability"] or 0.0), -s["copies"], s["title"], s["story_id"])
    )
    return [
        {
            "story_id": s["story_id"],
            "title": s["title"],
            "url": s["url"],
            "source": s["source"],
            "published_at": _iso(s["published_at"]),
            "first_seen_at": _iso(s["first_seen_at"]),
            "copies": s["copies"],
            "sources": s["sources"],
            "sentiment": s["sentiment"],
            "probability": short(s["probability"] or 0.0),
            "contribution": short((s["probability"] or 0.0) / total),
            "quote": s["quote"],
        }
        for s in ranked[:MOST_STORIES]
    ]


def _without_story(
    figures: Figures, negative: Sequence[Story], reconsider: Reconsider
) -> dict[str, Any] | None:
    if not negative:
        return None
    largest = max(s["copies"] for s in negative) - 1
    score, fires = reconsider(figures.negative - 1, figures.other, max(0, figures.copies - largest))
    return {"score": short(score), "would_fire": fires}


def _without_source(
    figures: Figures, stories: Sequence[Story], reconsider: Reconsider
) -> dict[str, Any] | None:
    """Without the source that most stories rest on; what others told too would still be there."""
    negative = [s for s in stories if s["sentiment"] == "negative"]
    if not negative:
        return None
    first = Counter(s["source"] for s in negative)
    alone = Counter(s["source"] for s in negative if _told_by_one(s))
    source = min(first, key=lambda name: (-alone[name], -first[name], name))
    gone = [s for s in stories if s["source"] == source and _told_by_one(s)]
    other = sum(1 for s in gone if s["sentiment"] != "negative")
    copies = sum(s["copies"] - 1 for s in gone if s["sentiment"] == "negative")
    score, fires = reconsider(
        figures.negative - alone[source], max(0, figures.other - other), max(0, figures.copies - copies)
    )
    return {"score": short(score), "would_fire": fires, "source": source}


def _told_by_one(story: Story) -> bool:
    return bool(story["sources"] <= 1)


def _from_new_feeds(negative: Sequence[Story], around: Around) -> int:
    # where all feeds are new the installation is, and its series are learning
    if around.oldest_feed_at is None or around.oldest_feed_at >= around.learning_since:
        return 0
    return sum(1 for s in negative if s["feed_added_at"] and s["feed_added_at"] >= around.learning_since)


def _in_one_backlog(negative: Sequence[Story]) -> int:
    undated = Counter(
        (s["feed_id"], s["first_seen_at"].replace(second=0, microsecond=0))
        for s in negative
        if s["date_status"] not in (None, "ok") and s["published_at"] is None  # midnight for a day is a date
    )
    return max(undated.values(), default=0)


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def short(value: float) -> float:
    """Six significant digits: enough for a reader, and the same on every machine."""
    return float(f"{float(value):.6g}")
