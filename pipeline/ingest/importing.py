"""Archives into the database as history: staged by COPY, stored in time order, grouped into stories as they go.

Memory stays flat: rows stream into a temporary table, which Postgres sorts by time; from there they are stored by
the thousand. Killed anywhere, what is stored stays, and the same import again goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.ingest import group, grouping
from pipeline.ingest.archive import ArchiveRow, read_archive
from pipeline.ingest.articles import Rejected
from pipeline.ingest.stories import WINDOW
from pipeline.store import articles, feeds, staging, stories
from pipeline.types import Report

if TYPE_CHECKING:
    from pipeline.store.engine import Connection, Engine

STAGE_ROWS = 2_000
STORE_ROWS = 2_000
# Chunks after which copy keys out of reach are dropped: each time the table of keys is read through.
FORGET_CHUNKS = 20


@dataclass(slots=True)
class ImportReport(Report):
    """What an import did; rows = new + unchanged + duplicate + rejected."""

    rows: int = 0
    new: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    outlets: int = 0
    stories: int = 0
    copies: int = 0
    mentions: int = 0


def import_articles(
    engine: Engine,
    path: Path,
    *,
    as_of: datetime,
    default_tz: str = "UTC",
    progress: Callable[[int], None] = lambda done: None,
) -> ImportReport:
    """Store the rows of a CSV, JSON lines or Parquet file as history (backfilled), with stories and mentions.

    `progress` gets the number of rows just stored. Raises InputFileError if the file is not what its name says.
    """
    tallies: dict[int, Counter[str]] = {}
    with engine.connect() as connection:
        with connection.begin():
            staging.create(connection)
            _stage(connection, read_archive(path, as_of, path.stem, default_tz), as_of, path.stem, tallies)
            staging.sort(connection)
        with stories.keep_keys(connection):
            grouped = _store(engine, connection, tallies, progress)
        with connection.begin():
            staging.drop(connection)
    with engine.begin() as connection:
        feeds.save_polls(connection, [_poll(feed_id, tally, as_of) for feed_id, tally in tallies.items()])
    total: Counter[str] = sum(tallies.values(), Counter())
    return ImportReport(
        total["rows"], total["new"], total["unchanged"], total["duplicate"], total["rejected"], len(tallies),
        grouped.stories, grouped.copies, grouped.mentions,
    )  # fmt: skip


def _stage(
    connection: Connection,
    rows: Iterator[ArchiveRow | Rejected],
    as_of: datetime,
    name: str,
    tallies: dict[int, Counter[str]],
) -> None:
    """Stream rows into the temporary table, rejects into theirs."""
    ids: dict[str, int] = {}
    while chunk := list(islice(rows, STAGE_ROWS)):
        staged: list[articles.NewArticle] = []
        rejects: list[tuple[int, Rejected]] = []
        for row in chunk:
            feed_id = _feed_id(connection, ids, row.source if isinstance(row, ArchiveRow) else name, as_of)
            tallies.setdefault(feed_id, Counter())["rows"] += 1
            if isinstance(row, ArchiveRow):
                staged.append(
                    articles.NewArticle(feed_id, row.draft.item_key, row.draft, as_of, row.available_at)
                )
            else:
                rejects.append((feed_id, row))
        refused = staging.copy_rows(connection, staged)
        rejects += [
            (article.feed_id, Rejected("database", reason, article.draft.title))
            for article, reason in refused
        ]
        for feed_id, _ in rejects:
            tallies[feed_id]["rejected"] += 1
        articles.insert_rejects(connection, rejects, as_of)


def _feed_id(connection: Connection, ids: dict[str, int], source: str, as_of: datetime) -> int:
    if source not in ids:
        ids[source] = feeds.import_feed(connection, source, as_of)
    return ids[source]


def _store(
    engine: Engine,
    connection: Connection,
    tallies: dict[int, Counter[str]],
    progress: Callable[[int], None],
) -> group.Grouped:
    """Move staged rows into articles, oldest first, and group each chunk before the next."""
    grouped, memory, last = group.Grouped(), group.open_memory(engine), staging.START
    for done in count(1):
        with connection.begin():
            chunk = staging.store_next(connection, last, STORE_ROWS)
        if chunk is None:
            break
        for feed_id, counts in chunk.counts.items():
            tallies[feed_id].update(counts)
        group.group_waiting(engine, memory, grouped)
        grouping.forget(memory, chunk.oldest_at)
        if done % FORGET_CHUNKS == 0:
            with connection.begin():  # no later row of the archive meets older ones any more
                stories.forget_keys(connection, chunk.oldest_at - WINDOW - timedelta(hours=1))
        last = chunk.last
        progress(chunk.rows)
    return grouped


def _poll(feed_id: int, tally: Counter[str], as_of: datetime) -> feeds.Poll:
    return feeds.Poll(
        feed_id, as_of, 0, "imported", seen=tally["rows"], new=tally["new"], unchanged=tally["unchanged"],
        duplicate=tally["duplicate"], rejected=tally["rejected"],
    )  # fmt: skip
