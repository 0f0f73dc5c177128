"""The words that made the verdicts which alerts show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pipeline.store.engine import Connection, sql


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A story that an alert shows; `name` is the company asked about as it stands in `text`, None for the story."""

    story_id: int
    company_id: int | None
    text: str
    name: str | None


def wanted(connection: Connection, model_version_id: int, most_stories: int, limit: int) -> list[Unexplained]:
    """Stories of the outbox's alerts without words, newest first; the first `most_stories` of each message."""
    asked = {"model_version_id": model_version_id, "most_stories": most_stories, "limit": limit}
    found = []
    for row in connection.execute(sql("words_wanted"), asked):
        name = row.text[row.span[0] : row.span[1]] if row.span else None
        found.append(Unexplained(row.story_id, row.company_id, row.text, name or None))
    return found


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
    rows = connection.execute(
        sa.text(
            "select distinct on (w.story_id) w.story_id, w.words from story_words w"
            " join alerts a on a.id = :alert_id join series s on s.id = a.series_id"
            " where w.company_id is not distinct from s.company_id and w.story_id in ("
            "   select cast(story ->> 'story_id' as bigint) from notifications n, jsonb_array_elements("
            "     case jsonb_typeof(n.payload -> 'stories') when 'array' then n.payload -> 'stories' else '[]' end"
            "   ) story where n.alert_id = a.id)"
            " order by w.story_id, w.made_at desc, w.model_version_id desc"
        ),
        {"alert_id": alert_id},
    )
    return {row.story_id: list(row.words) for row in rows}
