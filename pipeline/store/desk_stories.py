"""What the desk shows of stories: pages of them under filters, one with its copies and verdict, and those like it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.desk_rows import Row, fetch, fetch_one, read_cursor, write_cursor
from pipeline.store.engine import read_sql

# Days that a search by words looks back before it looks further: at 14,000 stories a day the first is 100,000.
REACH_DAYS = (7, 60)
# Newest vectors that "stories like this one" compares with: 20,000 x 384 float16 are 15 MB and took 60 ms to fetch.
SIMILAR_AMONG = 20_000


@dataclass(frozen=True, slots=True)
class StoryFilter:
    """What stories are asked for; None: any. Times are UTC, `until` and `as_of` bound what may be seen."""

    words: str | None = None
    sentiment: str | None = None
    company_id: int | None = None
    topic: str | None = None
    sector: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None


def champion_id(connection: Connection) -> int:
    """Key of the present champion; 0 when there is none."""
    query = "select model_version_id from champion_periods where ends_at = 'infinity'"
    return int(connection.execute(sa.text(query)).scalar() or 0)


def stories(
    connection: Connection, wanted: StoryFilter, *, now: datetime, limit: int, cursor: str | None = None
) -> tuple[list[Row], str | None]:
    """One page of stories, the newest first, and the cursor of the next page or None. Raises UsageError.

    From `now` a search by words looks back; what may be seen `wanted` says.
    """
    after_at, after_id = read_cursor(cursor) if cursor else (None, None)
    parameters = {
        **asdict(wanted),
        "words": wanted.words or None,
        "after_at": after_at,
        "after_id": after_id,
        "champions": _champions(connection, wanted.as_of),
        "limit": limit + 1,
    }
    statement = _page_statement(wanted)
    rows: list[Row] = []
    for since in _reaches(wanted, after_at, now):
        found = connection.execute(statement, {**parameters, "since": since}).mappings()
        rows = [dict(row) for row in found]
        if len(rows) > limit:
            break
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, write_cursor(rows[-1]["available_at"], rows[-1]["id"]) if more else None


def _champions(connection: Connection, as_of: datetime | None) -> list[int]:
    """Keys of the versions whose verdicts are shown, the first one that has read a story: the present champion, or, in a
    look into the past, all that had been champion by then, the newest first."""
    if as_of is None:
        return [champion_id(connection)]
    query = (
        "select model_version_id from champion_periods where set_at <= :as_of"
        " group by model_version_id order by max(set_at) desc"
    )
    return list(connection.execute(sa.text(query), {"as_of": as_of}).scalars())


def worst(connection: Connection, since: datetime, until: datetime, limit: int) -> list[Row]:
    """The negative stories of [since, until) that most outlets told, then the surest."""
    return fetch(
        connection,
        "desk_stories_worst",
        since=since,
        until=until,
        champion_id=champion_id(connection),
        limit=limit,
    )


def _reaches(wanted: StoryFilter, after_at: datetime | None, now: datetime) -> list[datetime | None]:
    """How far back to look, in turn: a page of common words is full after days, and must not read years for it."""
    if not wanted.words:
        return [wanted.since]
    newest = min(moment for moment in (wanted.until, wanted.as_of, after_at, now) if moment)
    earlier = [newest - timedelta(days=days) for days in REACH_DAYS]
    reaches = [moment for moment in earlier if wanted.since is None or moment > wanted.since]
    return [*reaches, wanted.since]


def _page_statement(wanted: StoryFilter) -> sa.TextClause:
    """The page read along the index that the filter narrows most: a company's, a topic's, or that of all stories."""
    if wanted.company_id is not None:
        chosen = "desk_stories_of_company"
    elif wanted.topic is not None:
        chosen = "desk_stories_of_topic"
    else:
        chosen = "desk_stories_of_all"
    return sa.text(read_sql("desk_stories").replace("stories_chosen", f"({read_sql(chosen)})", 1))


def story(connection: Connection, story_id: int) -> Row | None:
    """A story with its verdict, companies, topics, articles, revisions and labels; None if there is none."""
    found = fetch_one(connection, "desk_story", story_id=story_id, champion_id=champion_id(connection))
    if found is None:
        return None
    version = found["model_version_id"] or 0
    found["companies"] = fetch(
        connection, "desk_story_companies", story_id=story_id, model_version_id=version
    )
    found["topics"] = _topics(connection, story_id, version)
    found["articles"] = fetch(connection, "desk_story_articles", story_id=story_id)
    found["changes"] = fetch(connection, "desk_story_revisions", story_id=story_id)
    found["labels"] = _labels(connection, found["article_id"])
    return found


def _topics(connection: Connection, story_id: int, model_version_id: int) -> list[Row]:
    query = (
        "select score_topics.topic, score_topics.probability, series.title, series.id as series_id from score_topics"
        " left join series on series.kind = 'topic' and series.key = score_topics.topic"
        " where story_id = :story_id and model_version_id = :version order by probability desc"
    )
    found = connection.execute(sa.text(query), {"story_id": story_id, "version": model_version_id})
    return [dict(row) for row in found.mappings()]


def _labels(connection: Connection, article_id: int | None) -> list[Row]:
    query = (
        "select label.id, label.target, label.sentiment, label.topics, label.labelled_by, label.labelled_at, label.note,"
        " label.company_id, company.name as company from labels as label"
        " left join companies as company on company.id = label.company_id"
        " where label.article_id = :article_id and label.retracted_at is null order by label.id"
    )
    return [dict(row) for row in connection.execute(sa.text(query), {"article_id": article_id}).mappings()]


def similar(connection: Connection, story_id: int, *, limit: int = 8) -> list[Row]:
    """The stories most like this one by encoder vector, with `likeness` (cosine, -1 to 1); empty without vectors."""
    own = connection.execute(
        sa.text(
            "select vector.model_version_id, vector.vector, story.available_at from story_vectors as vector"
            " join stories as story on story.id = vector.story_id where story_id = :id order by model_version_id desc limit 1"
        ),
        {"id": story_id},
    ).one_or_none()
    if own is None:
        return []
    rows = fetch(
        connection,
        "desk_similar",
        story_id=story_id,
        model_version_id=own.model_version_id,
        around=own.available_at,
        limit=SIMILAR_AMONG,
    )
    nearest = _nearest(bytes(own.vector), [(row["story_id"], bytes(row["vector"])) for row in rows], limit)
    found = {row["id"]: row for row in _by_ids(connection, list(nearest))}
    return [
        {**found[number], "likeness": likeness} for number, likeness in nearest.items() if number in found
    ]


def _nearest(own: bytes, others: list[tuple[int, bytes]], limit: int) -> dict[int, float]:
    """Ids of the vectors nearest to `own` with their cosine, nearest first; vectors of another length are left out."""
    others = [(number, vector) for number, vector in others if len(vector) == len(own)]
    if not others:
        return {}
    matrix = np.frombuffer(b"".join(vector for _, vector in others), dtype="<f2").reshape(len(others), -1)
    with np.errstate(all="ignore"):
        likeness = matrix.astype(np.float32) @ np.frombuffer(own, dtype="<f2").astype(np.float32)
    best = np.argsort(-np.nan_to_num(likeness, nan=-2.0), kind="stable")[:limit]
    return {others[index][0]: float(likeness[index]) for index in best}


def _by_ids(connection: Connection, ids: list[int]) -> list[Row]:
    query = (
        "select story.id, story.title, story.available_at, article.source, verdict.sentiment from stories as story"
        " left join articles as article on article.id = story.first_article_id"
        " left join scores as verdict on verdict.story_id = story.id and verdict.model_version_id = :champion"
        " where story.id = any(:ids)"
    )
    found = connection.execute(sa.text(query), {"ids": ids, "champion": champion_id(connection)})
    return [dict(row) for row in found.mappings()]


def outlets(connection: Connection) -> list[str]:
    """Names of the outlets of configured feeds, for the filter."""
    query = (
        "select distinct title from feeds where removed_at is null and title <> '' order by title limit 500"
    )
    return list(connection.execute(sa.text(query)).scalars())
