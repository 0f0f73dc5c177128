"""The labelling page's queue and answers. One label per person, article and target; a new one replaces the old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from model.labels import SENTIMENTS
from pipeline.errors import UsageError
from pipeline.store.desk_rows import Row, fetch
from pipeline.store.desk_stories import champion_id
from pipeline.store.engine import sql
from pipeline.store.labels import NewLabel, write_labels


def queue(
    connection: Connection, who: str, *, limit: int, company_id: int | None = None, shown: Sequence[int] = ()
) -> list[Row]:
    """The next articles for one person; `shown` are on their screen already."""
    return fetch(
        connection,
        "desk_label_queue",
        who=who,
        limit=limit,
        company_id=company_id,
        shown=list(shown),
        champion_id=champion_id(connection),
    )


def waiting(connection: Connection) -> dict[str, int]:
    """Articles in the queue by reason."""
    query = "select reason, count(*) from label_queue where done_at is null group by reason order by count(*) desc"
    return {row[0]: row[1] for row in connection.execute(sa.text(query))}


def progress(connection: Connection, today: datetime) -> list[Row]:
    """Labels per person: all, today, the last 7 days."""
    return fetch(connection, "desk_label_progress", today=today)


def agreement(connection: Connection) -> list[Row]:
    """How far pairs of people agree, the pairs with most labels first."""
    query = "select * from analytics.label_agreement order by items desc limit 20"
    return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


def disputes(connection: Connection, limit: int = 20) -> list[Row]:
    """Articles whose story people label differently, the newest first."""
    return fetch(connection, "desk_label_disputes", limit=limit)


def add_label(
    connection: Connection,
    article_id: int,
    sentiment: str,
    *,
    who: str,
    as_of: datetime,
    company_id: int | None = None,
    note: str = "",
) -> int:
    """Stores what a person says of an article, for the story or for a company in it; returns the label's id.

    Raises UsageError for an unknown verdict, article or company, and for articles kept for evaluation.
    """
    if sentiment not in SENTIMENTS:
        raise UsageError(f"{sentiment!r} is no verdict", f"one of {', '.join(SENTIMENTS)}")
    thing: dict[str, Any] = {
        "article_id": article_id,
        "company_id": company_id,
        "target": "story" if company_id is None else "company",
        "who": who,
    }
    if not connection.execute(sql("desk_label_allowed"), thing).scalar():
        raise UsageError("this article cannot be labelled", "it is gone, or kept for evaluation")
    reason = connection.execute(
        sa.text("select reason from label_queue where article_id = :article_id"), thing
    ).scalar()
    label = NewLabel(
        article_id,
        thing["target"],
        who,
        as_of,
        "desk",
        company_id=company_id,
        sentiment=sentiment,
        queue_reason=reason,
        note=note[:500],
    )
    write_labels(connection, [label], as_of)
    return int(connection.execute(sql("desk_label_own"), thing).scalar_one())


def retract_label(connection: Connection, label_id: int, *, who: str, as_of: datetime) -> bool:
    """Takes back one's own label; False if there is none. The article goes back into the queue, unless kept for evaluation."""
    query = (
        "update labels set retracted_at = :as_of where id = :id and labelled_by = :who and retracted_at is null"
        " returning article_id"
    )
    article = connection.execute(sa.text(query), {"id": label_id, "who": who, "as_of": as_of}).scalar()
    if article is None:
        return False
    reopen = (
        "update label_queue as place set done_at = null, queued_at = :as_of where article_id = :id"
        " and not exists (select from frozen_articles as frozen where frozen.article_id = place.article_id)"
    )
    connection.execute(sa.text(reopen), {"id": article, "as_of": as_of})
    return True


def skip(connection: Connection, article_id: int, *, who: str, as_of: datetime) -> bool:
    """Passes an article over for this person; from the first who does, the queue counts how long it waits for others."""
    query = (
        "update label_queue set skipped_by = array_append(skipped_by, :who),"
        " queued_at = case when skipped_by = '{}' then :as_of else queued_at end"
        " where article_id = :id and not (:who = any(skipped_by))"
    )
    return connection.execute(sa.text(query), {"id": article_id, "who": who, "as_of": as_of}).rowcount == 1


def unskip(connection: Connection, article_id: int, *, who: str, as_of: datetime) -> bool:
    """Takes back that this person passed an article over; False if they had not. They are asked again if nobody answered."""
    parameters = {"article_id": article_id, "who": who, "as_of": as_of}
    return connection.execute(sql("desk_label_unskip"), parameters).rowcount == 1


def dispute(connection: Connection, article_id: int, *, who: str, as_of: datetime) -> bool:
    """Asks for other opinions: the article goes first in everybody else's queue."""
    parameters = {"article_id": article_id, "who": who, "as_of": as_of}
    return connection.execute(sql("desk_label_dispute"), parameters).rowcount == 1


def undispute(connection: Connection, article_id: int, *, who: str) -> bool:
    """Takes back that this person asked others, so that the place is what it was; False if somebody was later."""
    parameters = {"article_id": article_id, "who": who}
    return bool(connection.execute(sql("desk_label_undispute"), parameters).scalar_one())
