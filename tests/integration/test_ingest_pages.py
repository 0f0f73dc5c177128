"""Article pages: a slow host, a kill and a second run beside the first hold up no story."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from ingest_server import FeedServer, feed_server, rss
from sqlalchemy.engine import Engine

from pipeline.ingest import fulltext, step
from pipeline.ingest.parse_pool import ParsePool
from pipeline.settings import Settings
from pipeline.store import feeds, stories

pytest.importorskip("trafilatura")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = Settings(fetch_allow_private=("127.0.0.0/8",), parse_processes=1, full_text=True, _env_file=None)  # type: ignore[call-arg]
PAGE = (
    "<html><body><article><h1>Plant opens</h1>"
    + "<p>The plant in Ohio opened on Monday, its owner said.</p>" * 8
    + "</article></body></html>"
).encode()
SLOW = "127.0.0.2"
Page = tuple[str, str]  # host, path


@pytest.fixture
def wire() -> Iterator[FeedServer]:
    """A server that answers as two hosts, of which one wants half a minute between two requests."""

    def robots(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        delay = 30 if headers["host"].startswith(SLOW) else 0.01
        return 200, {}, f"User-agent: *\nCrawl-delay: {delay}\n".encode()

    with feed_server() as wire:
        wire.replies["/robots.txt"] = robots
        yield wire


def add(engine: Engine, wire: FeedServer, name: str, *pages: Page) -> int:
    """A feed of teasers whose articles have these pages."""
    items = [
        f"<item><guid>{path}</guid><link>{wire.url(path, host)}</link><title>Story at {path} of the plant</title></item>"
        for host, path in pages
    ]
    wire.replies[f"/{name}"] = (200, {}, rss(*items))
    wire.replies |= {path: (200, {}, PAGE) for _, path in pages if path not in wire.replies}
    feed = {"name": name, "url": wire.url(f"/{name}"), "full_text": True}
    with engine.begin() as connection:
        return feeds.save_feed(connection, feed, NOW, origin="desk")


def ingest(engine: Engine, *ids: int) -> Any:
    return step.ingest_feeds(engine, ids, settings=SETTINGS, as_of=NOW)


def have_body(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select guid from articles where body is not null order by 1"))
        return list(rows.scalars())


def have_story(engine: Engine, text: str = "") -> int:
    query = "select count(*) from articles a join stories s on s.id = a.story_id where s.text like :text"
    with engine.connect() as connection:
        return int(connection.execute(sa.text(query), {"text": f"%{text}%"}).scalar_one())


def test_a_slow_host_ends_with_the_time_of_the_run_and_its_teasers_are_grouped(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulltext, "RUN_S", 6.0)
    feed = add(engine, wire, "both", (SLOW, "/slow/1"), ("127.0.0.1", "/fast/1"), (SLOW, "/slow/2"))
    started = time.monotonic()
    assert ingest(engine, feed).new == 3
    assert time.monotonic() - started < 25
    assert have_body(engine) == ["/fast/1"]
    assert have_story(engine) == 3
    assert have_story(engine, "opened on Monday") == 1


def test_a_page_is_kept_before_the_next_is_asked_for(engine: Engine, wire: FeedServer) -> None:
    kept: list[list[str]] = []

    def second(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        kept.append(have_body(engine))
        return 200, {}, PAGE

    wire.replies["/page/2"] = second
    ingest(engine, add(engine, wire, "two", ("127.0.0.1", "/page/1"), ("127.0.0.1", "/page/2")))
    assert kept == [["/page/1"]]
    assert have_body(engine) == ["/page/1", "/page/2"]


def test_one_run_fetches_the_pages_of_all_and_the_others_leave_their_stories_to_it(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run comes while the first is at a page; what it stores gets its page all the same, once."""
    other = add(engine, wire, "other", ("127.0.0.1", "/page/other"))
    begun: list[str] = []
    reports: list[Any] = []
    extract = ParsePool.extract

    async def extract_late(pool: ParsePool, body: bytes, url: str) -> str:
        if url.endswith("/page/own") and not begun:
            begun.append(url)
            reports.append(await asyncio.to_thread(ingest, engine, other))
            reports.append(have_story(engine))
        return await extract(pool, body, url)

    monkeypatch.setattr(ParsePool, "extract", extract_late)
    first = ingest(engine, add(engine, wire, "own", ("127.0.0.1", "/page/own")))
    assert (reports[0].new, reports[0].stories, reports[1]) == (1, 0, 0)
    assert first.stories + first.copies == 2
    assert have_story(engine, "opened on Monday") == 2
    assert len(wire.asked("/page/own")) == len(wire.asked("/page/other")) == 1


def test_pages_are_free_again_for_the_next_run(engine: Engine, wire: FeedServer) -> None:
    feed = add(engine, wire, "later", ("127.0.0.1", "/page/later"))
    with stories.hold_pages(engine):
        ingest(engine, feed)
        assert (have_body(engine), have_story(engine)) == ([], 0)
    ingest(engine)
    assert have_body(engine) == ["/page/later"]
    assert have_story(engine, "opened on Monday") == 1


def test_a_robots_txt_that_exhausts_its_reader_costs_its_own_host_only(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 kB of it make 12 million rules, which take longer than a document may. It allows everything, were it read."""
    hostile = (
        b"".join(b"User-agent:%d\n" % n for n in range(2_500)) + b"User-agent:*\n" + b"Allow:/\n" * 5_000
    )

    def robots(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, hostile if headers["host"].startswith(SLOW) else b"User-agent: *\nCrawl-delay: 0.01\n"

    wire.replies["/robots.txt"] = robots
    monkeypatch.setattr(fulltext, "ParsePool", partial(ParsePool, cpu_s=3))
    ingest(engine, add(engine, wire, "hostile", (SLOW, "/hostile/1"), ("127.0.0.1", "/page/1")))
    with engine.connect() as connection:
        flags = connection.execute(sa.text("select guid, flags from articles order by 1"))
        assert [tuple(row) for row in flags] == [
            ("/hostile/1", ["robots_unknown"]),
            ("/page/1", ["full_text"]),
        ]
    assert not wire.asked("/hostile/1")
    assert have_story(engine) == 2
