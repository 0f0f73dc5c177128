"""The evidence of an alert as data, read from a payload of the outbox. What is missing there is None here.

Payloads outlive the code that wrote them, so reading is lenient; what feeds wrote is cleaned to one printable line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

TITLE_CHARS = 160
QUOTE_CHARS = 280


@dataclass(frozen=True, slots=True)
class CardStory:
    """One story of the evidence; `contribution` is its share of the surge, `probability` that of its verdict, 0 to 1.

    It counts from `seen_at`, when its feed brought it. `words` made it bad news, the strongest first.
    """

    story_id: int | None
    title: str
    url: str | None
    source: str
    published_at: datetime | None
    seen_at: datetime | None
    copies: int
    sources: int
    sentiment: str
    probability: float | None
    contribution: float | None
    quote: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardPoint:
    """One hour of the chart: counts of stories, and the band in which 95 % of usual hours lie."""

    at: datetime
    negative: int
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Carrier:
    """A company or topic that many of the negative stories are about."""

    title: str
    negative: int


@dataclass(frozen=True, slots=True)
class Without:
    """What would be left without the largest story, or without `source`, the largest one."""

    score: float | None
    would_fire: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """K negative and M other stories in [window_start, window_end), where `expected` negative ones are usual.

    `copies` are the articles that repeat the negative stories, their first articles not counted.
    """

    kind: str
    key: str
    title: str
    severity: str
    negative: int
    other: int
    expected: float
    p: float | None
    score: float | None
    window_hours: int
    window_start: datetime | None
    window_end: datetime | None
    share_now: float | None
    share_usual: float | None
    sources: int | None
    copies: int | None
    baseline_date: str
    rule_version: str
    model_version: str
    carried_by: tuple[Carrier, ...]
    without_story: Without | None
    without_source: Without | None
    stories: tuple[CardStory, ...]
    chart: tuple[CardPoint, ...]
    cause: str | None
    market_factor: float | None

    @property
    def ratio(self) -> float | None:
        """K / C; None where nothing was expected."""
        return self.negative / self.expected if self.expected >= 0.05 else None

    def seen_late(self, story: CardStory) -> datetime | None:
        """When it was seen, where it bears a time from before the window and would seem to be out of place."""
        started, told = self.window_start, story.published_at
        return story.seen_at if started and told and told < started else None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of an alert's history."""

    kind: str
    at: datetime
    severity: str | None
    actor: str


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert as its messages need it.

    `peak` is the payload with the highest score so far (that of a resolve is its height), `words` made the verdicts, by story;
    `stands_for` are the series whose alerts are folded into it: stored, and told by themselves once they have news.
    """

    id: int
    series_kind: str
    series_key: str
    series_title: str
    state: str
    severity: str
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_by: str | None
    is_test: bool
    peak: dict[str, Any]
    events: tuple[AlertEvent, ...]
    stands_for: tuple[str, ...] = ()
    words: Mapping[int, Sequence[str]] = field(default_factory=dict)


def read_card(payload: Mapping[str, Any], words: Mapping[int, Sequence[str]] | None = None) -> Card:
    """The card in `payload`, the evidence as detect wrote it; `words` by story made the verdicts."""
    series = payload.get("series") or {}
    return Card(
        kind=clean(series.get("kind"), 20),
        key=clean(series.get("key"), TITLE_CHARS),
        title=clean(series.get("title") or series.get("key"), 80),
        severity="critical" if payload.get("severity") == "critical" else "warning",
        negative=int(payload.get("negative") or 0),
        other=int(payload.get("other") or 0),
        expected=float(payload.get("expected") or 0.0),
        p=number(payload.get("p")),
        score=number(payload.get("score")),
        window_hours=int(payload.get("window_hours") or 0),
        window_start=moment(payload.get("window_start")),
        window_end=moment(payload.get("window_end")),
        share_now=number(payload.get("share_now")),
        share_usual=number(payload.get("share_usual")),
        sources=_whole(payload.get("sources")),
        copies=_whole(payload.get("copies")),
        baseline_date=clean(payload.get("baseline_date"), 20),
        rule_version=clean(payload.get("rule_version"), 60),
        model_version=clean(payload.get("model_version"), 60),
        carried_by=tuple(_carrier(c) for c in _tables(payload, "carried_by")),
        without_story=_without(payload.get("without_largest_story")),
        without_source=_without(payload.get("without_largest_source")),
        stories=tuple(_story(s, words or {}) for s in _tables(payload, "stories")),
        chart=tuple(p for p in (_point(c) for c in _tables(payload, "chart")) if p is not None),
        cause=clean(payload.get("cause"), 60) or None,
        market_factor=number(payload.get("market_factor")),
    )


def _tables(payload: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = payload.get(key)
    return [t for t in value if isinstance(t, Mapping)] if isinstance(value, Sequence) else []


def _story(table: Mapping[str, Any], words: Mapping[int, Sequence[str]]) -> CardStory:
    story_id = _whole(table.get("story_id"))
    return CardStory(
        story_id=story_id,
        title=clean(table.get("title"), TITLE_CHARS) or "(no title)",
        url=web_address(table.get("url")),
        source=clean(table.get("source"), 60),
        published_at=moment(table.get("published_at")) or moment(table.get("first_seen_at")),
        seen_at=moment(table.get("first_seen_at")),
        copies=max(1, _whole(table.get("copies")) or 1),
        sources=max(1, _whole(table.get("sources")) or 1),
        sentiment=clean(table.get("sentiment"), 20),
        probability=number(table.get("probability")),
        contribution=number(table.get("contribution")),
        quote=clean(table.get("quote"), QUOTE_CHARS),
        words=tuple(clean(w, 40) for w in words.get(story_id or 0, ())),
    )


def _carrier(table: Mapping[str, Any]) -> Carrier:
    title = table.get("title") or table.get("key")
    return Carrier(clean(title, 60), _whole(table.get("negative")) or 0)


def _without(table: Any) -> Without | None:
    if not isinstance(table, Mapping) or "would_fire" not in table:
        return None
    return Without(number(table.get("score")), bool(table["would_fire"]), clean(table.get("source"), 60))


def _point(table: Mapping[str, Any]) -> CardPoint | None:
    at = moment(table.get("at"))
    if at is None:
        return None
    expected = float(table.get("expected") or 0.0)
    low, high = number(table.get("low")), number(table.get("high"))
    return CardPoint(
        at,
        int(table.get("negative") or 0),
        expected,
        expected if low is None else low,
        expected if high is None else high,
    )


def moment(value: Any) -> datetime | None:
    """A time from ISO 8601 text or a datetime; None when it is neither, or has no zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def clean(value: Any, most: int) -> str:
    """One line of printable text of at most `most` characters.

    Control, format (bidirectional overrides, zero width) and surrogate characters go: they forge headers and lines.
    """
    if value is None:
        return ""
    kept = (" " if c.isspace() else c for c in str(value) if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join("".join(kept).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def web_address(value: Any) -> str | None:
    """`value` when it is an http(s) address that can stand in a message, else None."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > 2000 or any(c.isspace() or c in "<>\"'|\\^`{}" or ord(c) < 33 for c in text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.hostname else None
