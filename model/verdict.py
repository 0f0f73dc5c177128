"""What goes into a classifier and what comes out: plain values, no tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.labels import SENTIMENTS


class Mentioned(NamedTuple):
    """A company in a text and where it stands: half-open character ranges, at least one."""

    name: str
    spans: tuple[tuple[int, int], ...]


class CompanySpan(NamedTuple):
    """A company that stands in one place: characters [start, end)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text to classify and the companies to judge in it. A bare name is looked up in the text."""

    text: str
    companies: Sequence[Mentioned | CompanySpan | str] = ()


class Probabilities(NamedTuple):
    """Three calibrated probabilities that sum to 1."""

    negative: float
    neutral: float
    positive: float

    @property
    def label(self) -> str:
        """The likeliest of the three words."""
        return SENTIMENTS[max(range(3), key=self.__getitem__)]

    @property
    def score(self) -> float:
        """p(positive) - p(negative), in [-1, 1]."""
        return self.positive - self.negative


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model said: of the story, of each company asked for, and how likely each topic is (they sum to 1)."""

    sentiment: Probabilities
    companies: Mapping[str, Probabilities] = field(default_factory=dict)
    topics: Mapping[str, float] = field(default_factory=dict)

    def main_topics(self, least: float = 0.25) -> list[str]:
        """Topics at least this likely, likeliest first; the likeliest is always among them.

        Half a story each for two topics is 0.5; 0.25 still lets three share one and keeps out the tail.
        """
        ranked = sorted(self.topics, key=lambda t: -self.topics[t])
        return [t for i, t in enumerate(ranked) if i == 0 or self.topics[t] >= least]


@dataclass(frozen=True, slots=True)
class Failure:
    """A text the model could not judge, in the place of its verdict."""

    reason: str


class Contribution(NamedTuple):
    """How much one word moved the score: > 0 towards positive, < 0 towards negative. Characters [start, end)."""

    token: str
    start: int
    end: int
    contribution: float
