"""What the JSON API answers. Ids are stable; times are UTC; indexes and scores run from -1 to 1, shares from 0 to 1."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from pipeline.types import SeriesKind

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page; `next` is the cursor of the next one, null on the last."""

    items: list[Item]
    next: str | None = Field(None, description="Give it as `after` to go on.")


class Series(BaseModel):
    """What is watched, with its last 24 hours against the 7 days before."""

    id: int
    kind: SeriesKind
    key: str
    title: str
    ticker: str | None
    sector: str | None
    stories: int = Field(description="Distinct stories in the last 24 hours.")
    negative: int
    neutral: int
    positive: int
    index_now: float | None = Field(description="(positive - negative) / stories of the last 24 hours.")
    index_before: float | None = Field(description="The same over the 7 days before.")
    alert_id: int | None = Field(description="Its alert that is open now.")


class Chart(BaseModel):
    """Columns of one length over time."""

    span_minutes: int
    at: list[int] = Field(description="Starts of the spans, Unix seconds.")
    index: list[float | None] = Field(description="Of the trailing 24 hours, or of the day.")
    low: list[float | None]
    expected: list[float | None]
    high: list[float | None]
    negative: list[int]
    neutral: list[int]
    positive: list[int]
    alerts: list[AlertMark]


class AlertMark(BaseModel):
    """An alert as a chart marks it; times in Unix seconds."""

    id: int
    title: str
    at: int
    until: int
    severity: str
    state: str


class StoryCompany(BaseModel):
    id: int
    name: str
    sentiment: str


class Story(BaseModel):
    """A story with its verdict; probabilities are null while it waits."""

    id: int
    title: str
    available_at: datetime
    first_seen_at: datetime
    source: str | None
    url: str | None
    copies: int
    sources: int
    sentiment: str | None
    negative: float | None
    neutral: float | None
    positive: float | None
    scored_at: datetime | None
    companies: list[StoryCompany] | None
    topics: list[str] | None


class Copy(BaseModel):
    """An article of a story."""

    id: int
    source: str
    title: str
    url: str | None
    event_at: datetime
    first_seen_at: datetime
    story_match: str | None
    corrected: bool


class FullStory(Story):
    """A story with its text and its articles."""

    text: str
    language: str | None
    model_version: str | None
    unscored_reason: str | None
    articles: list[Copy]


class Alert(BaseModel):
    """An episode of spikes of one series."""

    id: int
    series_id: int
    kind: str
    key: str
    title: str
    state: str
    severity: str
    pending_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    silenced: bool
    cause: str | None
    peak_score: float
    useful: int
    noise: int
    is_test: bool


class FoldedAlert(BaseModel):
    """An alert that another one stands for: it was not told by itself."""

    id: int
    kind: str
    key: str
    title: str
    severity: str
    state: str


class FullAlert(Alert):
    """An alert with its evidence as stored, and the alerts it stands for."""

    evidence: dict[str, object]
    stands_for: list[FoldedAlert]


class Feed(BaseModel):
    """A configured feed and its health; counts of the last 24 hours. Polled while it is enabled and not paused."""

    id: int
    name: str
    title: str
    url: str
    enabled: bool
    paused_at: datetime | None
    status: str
    error_class: str | None
    error_count: int
    last_ok_at: datetime | None
    last_new_item_at: datetime | None
    next_due_at: datetime | None
    next_due_reason: str | None
    silent: bool
    polls: int
    errors: int
    new: int


class Model(BaseModel):
    """A model version."""

    id: int
    version: str
    created_at: datetime
    parent: str | None
    base_model: str
    state: str
    is_champion: bool
    metrics: dict[str, object]


class Pulse(BaseModel):
    """How the line stands."""

    champion: str | None
    waiting: int
    waiting_since: datetime | None
    last_tick_at: datetime | None
    last_poll_at: datetime | None
    last_story_at: datetime | None
    feeds: int
    feeds_in_trouble: int
    open_alerts: int
    unseen_alerts: int
    to_label: int


class Problem(BaseModel):
    """What went wrong, and what to do."""

    error: str
    advice: str = ""


Chart.model_rebuild()
