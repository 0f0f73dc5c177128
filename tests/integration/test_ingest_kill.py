"""SIGKILL at any point of a poll: no article lost, none stored twice, and the conservation law holds."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime

import psutil
import pytest
import sqlalchemy as sa
from forker import Forker
from ingest_server import FeedServer, feed_server, item, rss

from pipeline.store import feeds
from pipeline.store.engine import Engine

# INGEST_KILLS=50 gives the figure in bench/README.md.
KILLS = int(os.environ.get("INGEST_KILLS", "6"))
FEEDS, ITEMS = 12, 60
# Runs between two edits of a tenth of the items: an article keeps 24 revisions, and all of them should count here.
EDITED_EVERY = max(3, KILLS // 5)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARK = "UNDERTOW_TEST_INGEST_KILL"
# What must be nothing at the end, whatever was killed.
CHECKS = {
    "articles lost or doubled": f"select count(*) - {FEEDS * ITEMS} from articles",
    "guids doubled": "select count(*) - count(distinct (feed_id, guid)) from articles",
    "articles without a story": "select count(*) from articles where story_id is null",
    "articles grouped with others": "select count(*) - count(distinct story_id) from articles",
    "stories whose first article is not theirs": "select count(*) from stories s where not exists (select from articles a where a.id = s.first_article_id and a.story_id = s.id)",
    "polls against the conservation law": "select count(*) from feed_fetches where seen <> new + revised + unchanged + duplicate + rejected",
    "new in polls minus articles": "select (select sum(new) from feed_fetches) - (select count(*) from articles)",
    "revised in polls minus revisions": "select (select sum(revised) from feed_fetches) - (select count(*) from article_revisions where revision > 1)",
    "stories whose count is wrong": "select count(*) from stories s where copies <> (select count(*) from articles a where a.story_id = s.id)",
    "stories not queued": "select count(*) from stories s where not exists (select from score_queue q where q.story_id = s.id)",
}  # fmt: skip


# two runs per kill, each several seconds where others use the cores
@pytest.mark.timeout(300 + 20 * KILLS)
def test_killed_at_random_points(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(20261123)
    monkeypatch.setenv(MARK, database_url)  # all processes of the runs inherit it
    with feed_server() as wire:
        child = Forker("ingest_child.py", database_url, *map(str, _save_feeds(engine, wire)))
        _publish(wire, 0)
        child.ask(str(chance.uniform(0.05, 0.3)))  # the first articles of all, killed among them
        began = time.monotonic()
        assert child.ask("0") == "exit 0"
        typical, killed, runs = time.monotonic() - began, 0, 1
        while killed < KILLS:
            _publish(wire, runs)
            killed += child.ask(str(chance.uniform(0, typical))) == "killed"
            runs += 1
        assert child.ask("0") == "exit 0"
        child.stop()

    edits = (runs - 1) // EDITED_EVERY
    with engine.connect() as connection:
        found = {name: connection.scalar(sa.text(check)) for name, check in CHECKS.items()}
        texts = set(connection.scalars(sa.text("select summary from articles where guid like 'id-%0'")))
    assert not any(found.values()), found
    assert texts == {f"Edit {edits}: the mayor went."}
    _assert_none_is_left(database_url)
    print(f"{killed} of {runs} runs killed: nothing lost, nothing doubled, the conservation law holds")


def _save_feeds(engine: Engine, wire: FeedServer) -> list[int]:
    """Each feed on a host of its own."""
    with engine.begin() as connection:
        return [
            feeds.save_feed(
                connection,
                {"name": f"f{n}", "url": wire.url(f"/{n}", f"127.3.0.{n + 1}")},
                NOW,
                origin="desk",
            )
            for n in range(FEEDS)
        ]


def _publish(wire: FeedServer, run: int) -> None:
    """Every document changes before every run; at times a tenth of the items with it."""
    for n in range(FEEDS):
        body = rss(*[_item(n, k, run) for k in range(ITEMS)], head=f"<!-- {run} -->")
        wire.replies[f"/{n}"] = (200, {}, body)


def _item(feed: int, n: int, run: int) -> str:
    edits = run // EDITED_EVERY if n % 10 == 0 else 0
    return item(
        f"{feed}-{n}",
        f"Feed {feed} item {n}: the mayor of town {feed * ITEMS + n} resigns over budget",
        f"Edit {edits}: the mayor went.",
    )


def _assert_none_is_left(mark: str) -> None:
    """The parsers of a killed run see that it is gone, and go."""
    deadline = time.monotonic() + 10
    while left := [process for process in psutil.process_iter() if _is_marked(process, mark)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except psutil.Error:  # another user's, or gone
        return False
