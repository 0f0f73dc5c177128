"""A pause is a person's: it outlives every reading of feeds.toml, is seen wherever feeds are, and a person ends it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from desk_market import change, client, fill, one, post, settings
from sqlalchemy import Engine

from pipeline.ingest import step
from pipeline.ingest.checking import explain
from pipeline.store import desk_feeds, feeds, migrate, windows
from pipeline.store.engine import create_engine
from pipeline.store.server import Server

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIST = '[[feeds]]\nname = "a"\nurl = "https://e.com/a"\n[[feeds]]\nname = "b"\nurl = "https://e.com/b"\n'


def due(engine: Engine) -> list[int]:
    return sorted(number for shard in step.due_shards(engine, as_of=NOW, shards=4) for number in shard)


def pause(engine: Engine, feed_id: int, at: datetime | None) -> bool:
    with engine.begin() as connection:
        return desk_feeds.set_paused(connection, feed_id, at)


def why(engine: Engine, name: str) -> dict[str, Any]:
    with engine.begin() as connection:
        found = feeds.find_feed(connection, name)
        assert found is not None
        return explain(connection, found, NOW)


def test_a_pause_outlives_the_list(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(LIST)
    step.sync_feeds(engine, path, as_of=NOW)
    first, second = due(engine)
    assert pause(engine, first, NOW)
    assert not pause(engine, first, NOW + timedelta(hours=1)), "it is paused already"
    assert step.sync_feeds(engine, path, as_of=NOW)["kept"] == 2
    path.write_text(LIST.replace('"https://e.com/a"', '"https://e.com/a"\ntitle = "A"'))
    assert step.sync_feeds(engine, path, as_of=NOW)["changed"] == 1
    assert due(engine) == [second]
    with engine.connect() as connection:
        assert windows.polled_feeds(connection) == [second]
        assert [row.feed_id for row in feeds.health_rows(connection, NOW)] == [second]
        assert [row.paused_at for row in feeds.list_feeds(connection)] == [NOW, None]
    told = why(engine, "a")
    assert told["sentence"].startswith("a is not polled: it was paused at the desk at 2026-11-23 12:00 UTC")
    assert told["paused_at"] == NOW
    assert pause(engine, first, None)
    assert due(engine) == [first, second]


def test_a_paused_feed_is_not_missing(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(LIST)
    step.sync_feeds(engine, path, as_of=NOW - timedelta(days=1))
    first, second = due(engine)
    polls = [(120, "ok"), (5, "error")]
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into feed_fetches (feed_id, started_at, outcome) values (:feed, :at, :outcome)"),
            [
                {"feed": feed, "at": NOW - timedelta(minutes=ago), "outcome": outcome}
                for feed in (first, second)
                for ago, outcome in polls
            ],
        )

    def missing() -> dict[int, float]:
        with engine.connect() as connection:
            return windows.feed_exceptions(connection, NOW - timedelta(minutes=15), NOW)

    assert missing() == {first: 0, second: 0}
    assert pause(engine, first, NOW - timedelta(hours=1))
    assert missing() == {second: 0}


def test_who_adds_a_feed_anew_wants_it_polled(engine: Engine) -> None:
    row = {"name": "a", "url": "https://e.com/a"}
    with engine.begin() as connection:
        added = feeds.save_feed(connection, row, NOW, origin="desk")
    pause(engine, added, NOW)
    change(engine, "update feeds set removed_at = now()")
    with engine.begin() as connection:
        feeds.save_feed(connection, row, NOW, origin="desk")
    assert due(engine) == [added]


def test_the_pages_show_a_pause_and_who_lifts_it(engine: Engine, tmp_path: Path) -> None:
    fill(engine, stories=200, days=9)
    browser = client(engine, settings(tmp_path), "operator")
    assert browser.get("/api/v1/pulse").json()["feeds"] == 12
    assert post(browser, "/feeds/2/enable", enabled="false").status_code == 303
    assert one(engine, "select enabled and paused_at is not null from feeds where id = 2")
    assert browser.get("/api/v1/pulse").json()["feeds"] == 11
    assert browser.get("/api/v1/feeds").json()[0].keys() >= {"enabled", "paused_at"}
    assert browser.get("/feeds").text.count(">paused</span>") == 1
    page = browser.get("/feeds/2").text
    assert "paused since" in page
    assert "<button>Resume</button>" in page
    assert post(browser, "/feeds/2/enable", enabled="true").status_code == 303
    assert "<button>Pause</button>" in browser.get("/feeds/2").text
    change(engine, "update feeds set enabled = false where id = 2")
    page = browser.get("/feeds/2").text
    assert "off in feeds.toml" in page
    assert "/feeds/2/enable" not in page, "the desk cannot switch on what the list switches off"
    actions = "select array_agg(action order by id) from audit_log where target = '2'"
    assert one(engine, actions) == ["pause feed", "resume feed"]


@pytest.fixture
def older_url(server: Server) -> Iterator[str]:
    """URL of a database at the schema before pauses had a column."""
    server.ensure_database("before_pauses")
    engine = create_engine(server.url("before_pauses"))
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0009")
    engine.dispose()
    yield server.url("before_pauses")
    server.drop_database("before_pauses")


def test_pauses_of_the_desks_own_feeds_are_carried_over(older_url: str) -> None:
    engine = create_engine(older_url)
    for name, origin in (("mine", "desk"), ("listed", "file")):
        change(
            engine,
            "insert into feeds (name, url, origin, enabled, added_at) values (:n, :n, :o, false, now())",
            n=name,
            o=origin,
        )
    change(
        engine,
        "insert into audit_log (at, actor, action, target) select :at, 'ann', 'pause feed', id::text from feeds where name = 'mine'",
        at=NOW,
    )
    migrate.upgrade(older_url)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select name, enabled, paused_at from feeds order by name"))
        assert [tuple(row) for row in rows] == [("listed", False, None), ("mine", True, NOW)]
    engine.dispose()
