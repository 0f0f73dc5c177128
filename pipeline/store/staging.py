"""A temporary table through which archives enter: filled by COPY, drained in time order."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.store.articles import NewArticle, article_row, refusal
from pipeline.store.engine import sql

Mark = tuple[datetime, int]
START: Mark = (datetime(1, 1, 1, tzinfo=UTC), 0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows moved into articles: where to go on, how many, and per feed what became of them."""

    last: Mark
    rows: int
    oldest_at: datetime
    counts: dict[int, Counter[str]]


def create(connection: Connection) -> None:
    """The empty table, gone when the connection is."""
    connection.execute(sql("staging_create"))


def drop(connection: Connection) -> None:
    """Give its disk space back before the connection goes back to the pool."""
    connection.execute(sa.text("drop table if exists pg_temp.staged_articles"))


def copy_rows(connection: Connection, articles: Sequence[NewArticle]) -> list[tuple[NewArticle, str]]:
    """Add rows by COPY; returns those that the database refuses, with the reason."""
    refused: list[tuple[NewArticle, str]] = []
    if articles:
        _copy_or_halve(connection, articles, refused)
    return refused


def sort(connection: Connection) -> None:
    """Index the staged rows by time, once they are all there."""
    connection.execute(sa.text("create index on staged_articles (available_at, n)"))
    connection.execute(sa.text("analyze staged_articles"))


def store_next(connection: Connection, last: Mark, limit: int) -> Chunk | None:
    """Move the next rows after `last` into articles; None at the end. Rows that are stored already stay as they are."""
    row = connection.execute(
        sql("staging_store"), {"last_at": last[0], "last_n": last[1], "limit": limit}
    ).one()
    if not row.rows:
        return None
    counts = {
        int(feed_id): Counter({"new": new, "duplicate": rows - keys, "unchanged": keys - new})
        for feed_id, rows, keys, new in row.counts
    }
    return Chunk((row.last_at, row.last_n), row.rows, row.oldest_at, counts)


def _copy_or_halve(
    connection: Connection, articles: Sequence[NewArticle], refused: list[tuple[NewArticle, str]]
) -> None:
    try:
        with connection.begin_nested():
            _copy(connection, articles)
    except OperationalError:
        raise
    except (DBAPIError, ValueError, _driver_error()) as error:
        if len(articles) == 1:
            refused.append((articles[0], refusal(error)))
            return
        half = len(articles) // 2
        _copy_or_halve(connection, articles[:half], refused)
        _copy_or_halve(connection, articles[half:], refused)


def _driver_error() -> type[Exception]:
    import psycopg2

    return psycopg2.DataError


def _copy(connection: Connection, articles: Sequence[NewArticle]) -> None:
    rows = [article_row(article) for article in articles]
    lines = "".join("\t".join(map(_field, row.values())) + "\n" for row in rows)
    cursor = connection.connection.cursor()
    cursor.copy_expert(f"copy staged_articles ({', '.join(rows[0])}) from stdin", io.StringIO(lines))


def _field(value: Any) -> str:
    """One value in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value.isoformat() if isinstance(value, datetime) else str(value)
