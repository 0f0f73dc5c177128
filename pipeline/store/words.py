"""The words that made the verdicts which alerts show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pipeline.store.engine import Connection, sql


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A story that an alert shows; `spans` are where the company asked about stands in `text`, () for the story."""

    story_id: int
    company_id: int | None
    text: str
    spans: tuple[tuple[int, int], ...]


def wanted(connection: Connection, model_version_id: int, most_stories: int, limit: int) -> list[Unexplained]:
    """Stories of the outbox's alerts without words, newest first; the first `most_stories` of each message."""
    asked = {"model_version_id": model_version_id, "most_stories": most_stories, "limit": limit}
    return [
        Unexplained(
            row.story_id, row.company_id, row.text, tuple((start, end) for start, end in row.spans or [])
        )
        for row in connection.execute(sql("words_wanted"), asked)
    ]


def save(
    connection: Connection, story: Unexplained, model_version_id: int, words: Sequence[str], as_of: datetime
) -> None:
    """Stores the words of a verdict; saying it again changes nothing."""
    connection.execute(
        sa.text(
            "insert into story_words (story_id, company_id, model_version_id, words, made_at)"
            " values (:story_id, :company_id, :model, :words, :as_of) on conflict do nothing"
        ),
        {
            "story_id": story.story_id,
            "company_id": story.company_id,
            "model": model_version_id,
            "words": list(words),
            "as_of": as_of,
        },
    )


def of_alert(connection: Connection, alert_id: int) -> dict[int, list[str]]:
    """Words by story of the alert's series, the newest model's where several looked."""
    rows = connection.execute(sql("words_of_alert"), {"alert_id": alert_id})
    return {row.story_id: list(row.words) for row in rows}
