"""The ingest step: due feeds -> answers -> articles -> stories. Orders effects and owns transactions; decides nothing.

    poll (pipeline.ingest.polling): fetch -> parse -> judge -> store and group, one transaction per batch of feeds
    group (pipeline.ingest.group): what has no story yet all the same, in transactions of its own

Killed anywhere, nothing is lost: a feed's state is written in the transaction that stores its articles, so a poll
is repeated rather than forgotten; articles without a story are grouped by the next run.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.ingest import company_csv, fulltext, importing, lists
from pipeline.ingest.group import rare_collections
from pipeline.ingest.links import host_of
from pipeline.ingest.polling import Polling
from pipeline.ingest.report import IngestReport
from pipeline.ingest.upkeep import feed_health, prune
from pipeline.store import companies, feeds

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Engine

# More than any shard of feeds needs; systems without a limit name one of millions.
MOST_OPEN_FILES = 65_536

__all__ = [
    "due_shards",
    "feed_health",
    "import_articles",
    "import_companies",
    "ingest_feeds",
    "prune",
    "sync_companies",
    "sync_feeds",
]


def sync_feeds(engine: Engine, path: Path, *, as_of: datetime) -> dict[str, int]:
    """Make the feeds those of feeds.toml. Raises FileMistakes with every mistake in it."""
    entries = lists.read_feeds(path)
    with engine.begin() as connection:
        return feeds.sync(connection, entries, as_of)


def sync_companies(engine: Engine, path: Path, *, as_of: datetime) -> dict[str, int]:
    """Make the watch list that of companies.toml. Raises FileMistakes with every mistake in it."""
    entries = lists.read_companies(path)
    with engine.begin() as connection:
        return companies.sync(connection, entries, as_of)


def import_companies(engine: Engine, path: Path, *, as_of: datetime) -> dict[str, int]:
    """Add the companies of a CSV list (origin import); companies.toml wins where both name one."""
    entries = company_csv.read_company_csv(path)
    with engine.begin() as connection:
        return companies.sync(connection, entries, as_of, origin="import")


def due_shards(engine: Engine, *, as_of: datetime, shards: int) -> list[list[int]]:
    """Ids of the feeds that are due, in at most `shards` lists; all feeds of a host are in one list."""
    with engine.connect() as connection:
        resting = feeds.resting_hosts(connection, as_of)
        due = [(feed_id, host_of(url)) for feed_id, url in feeds.due_feeds(connection, as_of)]
    by_host: dict[str, list[int]] = {}
    for feed_id, host in due:
        if host not in resting:
            by_host.setdefault(host, []).append(feed_id)
    filled: list[list[int]] = [[] for _ in range(shards)]
    for ids in sorted(by_host.values(), key=len, reverse=True):
        min(filled, key=len).extend(ids)
    return [ids for ids in filled if ids]


def ingest_feeds(
    engine: Engine, feed_ids: Sequence[int], *, settings: Settings, as_of: datetime
) -> IngestReport:
    """Poll the given feeds whether due or not, store what they bring, group all that waits for a story.

    While another run fetches article pages, what waits is left to it: grouped now, it would miss its page.
    A feed's failure is a row, never an exception; DatabaseError and ConfigurationError are raised.
    """
    report = IngestReport(feeds=len(feed_ids))
    polling = Polling(engine, settings, as_of, report)
    if feed_ids:
        _run(polling, feed_ids)
    if settings.full_text and fulltext.fetch_full_texts(engine, settings) is None:
        return report
    with rare_collections():
        polling.group()
    grouped = polling.grouped
    report.stories, report.copies, report.mentions = grouped.stories, grouped.copies, grouped.mentions
    return report


def import_articles(
    engine: Engine,
    path: Path,
    *,
    settings: Settings,
    as_of: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> importing.ImportReport:
    """Store an archive (CSV, JSON lines or Parquet) as history, with stories and mentions. See pipeline.ingest.importing."""
    with rare_collections():
        return importing.import_articles(engine, path, as_of=as_of, progress=progress)


def allow_open_files() -> None:
    """Raises this process's limit of open files as far as it may: each host that is polled keeps a connection for a while.

    Most systems begin at 1,024, which a shard of as many hosts would meet.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # a system with a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(polling: Polling, feed_ids: Sequence[int]) -> None:
    """Run the loop; of several exceptions at once (all of the database, since feeds raise none) the first is raised."""
    allow_open_files()
    try:
        with rare_collections():
            asyncio.run(polling.poll(feed_ids))
    except BaseExceptionGroup as group_:
        error: BaseException = group_
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
