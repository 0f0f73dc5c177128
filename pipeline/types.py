"""The nouns that cross rooms. Plain frozen dataclasses; times are timezone-aware UTC; ranges are half-open.

Nouns that stay inside a room live there (a feed's HTTP outcome in ingest, a baseline in detect).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

Sentiment = Literal["negative", "neutral", "positive"]
Severity = Literal["warning", "critical"]
SeriesKind = Literal["all", "topic", "company", "sector"]
NotificationKind = Literal["open", "rise", "resolve", "digest", "operator", "silence_end", "test"]
FeedbackKind = Literal["acknowledge", "useful", "noise", "wrong_sentiment", "wrong_company", "duplicate"]


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probabilities of the three sentiments; they add up to 1."""

    negative: float
    neutral: float
    positive: float

    @property
    def label(self) -> Sentiment:
        """The likeliest; of equals negative before neutral before positive."""
        best = max(self.negative, self.neutral, self.positive)
        if best == self.negative:
            return "negative"
        return "positive" if best == self.positive and best != self.neutral else "neutral"

    @property
    def score(self) -> float:
        """p(positive) - p(negative), in [-1, 1]."""
        return self.positive - self.negative


@dataclass(frozen=True, slots=True)
class StoryMention:
    """A company in a story as the classifier gets it: `spans` are [start, end) offsets into the story text."""

    company_id: int
    name: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class WaitingStory:
    """A story that waits for its score."""

    story_id: int
    text: str
    text_hash: bytes
    language: str | None
    available_at: datetime
    mentions: tuple[StoryMention, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryScore:
    """What one model version said of one story."""

    story_id: int
    sentiment: Probabilities
    companies: dict[int, Probabilities] = field(default_factory=dict)
    topics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownScore:
    """The score that a version gave to an identical text."""

    sentiment: Probabilities
    companies: dict[int, Probabilities]
    topics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Apart:
    """A story that is not scored, and why: language, failure or empty."""

    story_id: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """What is watched."""

    id: int
    kind: SeriesKind
    key: str
    title: str


@dataclass(slots=True)
class Report:
    """What a step did, as counts; the only thing it hands on. `as_dict` is JSON-able."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
