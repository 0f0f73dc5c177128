"""Labels as files carry them: which article, which verdict, by whom. Pure.

A row may be long (one label: `target`, `company`, `sentiment` or `topics`) or wide (all labels of one person on one
article: `sentiment`, `company_sentiment`, `topics`). Names of older label schemas are brought up to date on the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from model.labels import LABEL_SCHEMA_VERSION, SENTIMENTS, TOPICS
from pipeline.ingest.text import clean
from pipeline.label.schema import RENAMES, Rename, bring_up_to_date
from pipeline.values import REASONS

# Ids are Postgres' bigint.
LAST_ID = 2**63 - 1
# Characters. Longer than any name or address of a person; who labelled is part of an index, whose entries have a limit.
PERSON_LIMIT = 200
# How far the clock of who labelled may be ahead of ours: machines without NTP drift by minutes, wrong zones by hours.
CLOCK_GRACE = timedelta(minutes=5)

# What reading a row that is none may raise, however odd its values.
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class ArticleRef:
    """What names an article in a file; the first that is given decides: id, guid (with feed), url, title.

    An id beside the guid and url of another article is that of another database, and decides nothing.
    """

    article_id: int | None = None
    guid: str | None = None
    feed: str | None = None
    url: str | None = None
    title: str | None = None

    def __str__(self) -> str:
        name = self.guid or self.url
        if self.article_id is not None:
            return f"article {self.article_id} ({name})" if name else f"article {self.article_id}"
        return str(name or self.title or "no article")


@dataclass(frozen=True, slots=True)
class FileLabel:
    """One label of a file. `row` counts from 1; who and when may be missing and are then given by the importer."""

    row: int
    article: ArticleRef
    target: str
    company: str | None = None
    sentiment: str | None = None
    topics: tuple[str, ...] | None = None
    labelled_by: str | None = None
    labelled_at: datetime | None = None
    confidence: float | None = None
    queue_reason: str | None = None
    schema_version: int = LABEL_SCHEMA_VERSION
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that is no label, with what to mend."""

    row: int
    what: str


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A stored label with what a file needs to carry it elsewhere; `mentions` are (company, [[start, end), ...])."""

    article_id: int
    feed: str
    guid: str | None
    url: str | None
    title: str
    text: str
    mentions: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    target: str | None = None
    company: str | None = None
    sentiment: str | None = None
    topics: tuple[str, ...] | None = None
    labelled_by: str = ""
    labelled_at: datetime | None = None
    origin: str = ""
    confidence: float | None = None
    queue_reason: str | None = None
    schema_version: int = LABEL_SCHEMA_VERSION
    note: str = ""


def read_row(
    raw: Mapping[str, Any], number: int, renames: Sequence[Rename] = RENAMES
) -> Iterator[FileLabel | Mistake]:
    """The labels in one row of a CSV or JSON lines file, or what is wrong with it."""
    try:
        common = _common(raw, number)
        version = int(raw.get("schema_version") or LABEL_SCHEMA_VERSION)
        labels = list(_labels(raw, common))
        if not labels:
            raise ValueError("no sentiment, company_sentiment or topics in it")
        for label in labels:
            yield check(bring_up_to_date(label, version, renames))
    except UNREADABLE as error:
        yield Mistake(number, str(error))


def _common(raw: Mapping[str, Any], number: int) -> dict[str, Any]:
    given = {key: value for key, value in raw.items() if value not in (None, "")}
    article_id = given.get("article_id")
    return {
        "row": number,
        "article": ArticleRef(
            _id(article_id) if article_id is not None else None,
            _text(given.get("guid", given.get("id"))),
            _text(given.get("feed")),
            _text(given.get("url")),
            _text(given.get("title")),
        ),
        "labelled_by": _person(given.get("labelled_by")),
        "labelled_at": read_time(given.get("labelled_at")),
        "confidence": float(given["confidence"]) if "confidence" in given else None,
        "queue_reason": _text(given.get("queue_reason")),
        "note": _text(given.get("note")) or "",
    }


def _labels(raw: Mapping[str, Any], common: dict[str, Any]) -> Iterator[FileLabel]:
    sentiment, company = _text(raw.get("sentiment")), _text(raw.get("company"))
    if sentiment and company:
        yield FileLabel(target="company", company=company, sentiment=sentiment, **common)
    elif sentiment:
        yield FileLabel(target="story", sentiment=sentiment, **common)
    for name, verdict in _mapping(raw.get("company_sentiment")).items():
        yield FileLabel(target="company", company=name, sentiment=str(verdict), **common)
    topics = _list(raw.get("topics"))
    if topics:
        yield FileLabel(target="topics", topics=tuple(dict.fromkeys(topics)), **common)


def check(label: FileLabel) -> FileLabel:
    """The label, or ValueError saying which word is not one of ours."""
    if label.sentiment is not None and label.sentiment not in SENTIMENTS:
        raise ValueError(f"sentiment {label.sentiment!r} is none of {', '.join(SENTIMENTS)}")
    if label.target == "topics" and not label.topics:
        raise ValueError("none of its topics exists any more")
    for topic in label.topics or ():
        if topic not in TOPICS:
            raise ValueError(f"topic {topic!r} is not in model/labels.py")
    if label.confidence is not None and not 0 <= label.confidence <= 1:
        raise ValueError(f"confidence {label.confidence} is not between 0 and 1")
    if label.queue_reason is not None and label.queue_reason not in REASONS:
        raise ValueError(f"queue_reason {label.queue_reason!r} is none of {', '.join(REASONS)}")
    if label.article == ArticleRef(feed=label.article.feed):
        raise ValueError("it names no article: give article_id, guid (with feed), url or title")
    return label


def read_time(value: Any) -> datetime | None:
    """An ISO 8601 time as UTC; one without a zone is taken as UTC."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{str(value)[:60]!r} is not a time in ISO 8601 between the years 1 and 9999"
        ) from error


def said_at(label: FileLabel, as_of: datetime) -> datetime | None:
    """When a label was said: at `as_of` where its file does not say or its clock is a little ahead.

    None where it lies in the future: nothing that the person says before then would count.
    """
    if label.labelled_at is not None and label.labelled_at > as_of + CLOCK_GRACE:
        return None
    return min(label.labelled_at or as_of, as_of)


def _id(value: Any) -> int:
    number = int(value)
    if not 1 <= number <= LAST_ID:
        raise ValueError(f"no article has the number {str(value)[:30]}")
    return number


def _person(value: Any) -> str | None:
    name = _text(value)
    if name is not None and len(name) > PERSON_LIMIT:
        raise ValueError(f"labelled_by is longer than {PERSON_LIMIT} characters")
    return name


def _text(value: Any) -> str | None:
    """Cleaned as the texts of articles are, so that Postgres takes it and what names an article is found."""
    return None if value is None else clean(str(value)).text or None


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else {}
    if not isinstance(value or {}, Mapping):
        raise ValueError("company_sentiment is an object: company -> sentiment")
    return value or {}


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.replace("|", ",").split(",") if part.strip()]
    return [str(part) for part in value or ()]
