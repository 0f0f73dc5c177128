"""Hosts with several feeds, against a real server and a real database: 429s, silence, and what is stored meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from ingest_server import FeedServer, Headers, Reply, feed_server, item, rss
from sqlalchemy.engine import Engine

from pipeline.ingest import fetch, polling, step
from pipeline.settings import Settings
from pipeline.store import feeds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = Settings(
    fetch_allow_private=("127.0.0.0/8",), fetch_timeout_s=20, parse_processes=1, _env_file=None
)  # type: ignore[call-arg]
HOST = "127.9.0.1"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    monkeypatch.setattr(polling, "HOST_PAUSE_S", 0.0)
    with feed_server() as wire_server:
        yield wire_server


def add(engine: Engine, name: str, url: str) -> int:
    with engine.begin() as connection:
        return feeds.save_feed(connection, {"name": name, "url": url}, NOW, origin="desk")


def query(engine: Engine, text: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(text)))


def run(engine: Engine, minutes: float = 0) -> Any:
    as_of = NOW + timedelta(minutes=minutes)
    due = [feed_id for shard in step.due_shards(engine, as_of=as_of, shards=1) for feed_id in shard]
    return step.ingest_feeds(engine, due, settings=SETTINGS, as_of=as_of)


class Silence:
    """A reply that says nothing until it is `over`."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, path: str, headers: Headers) -> Reply:
        self.over.wait(60)
        return 200, {}, rss(item(path))


def test_the_other_feeds_of_a_host_get_their_turn_beside_one_that_is_always_limited(
    engine: Engine, wire: FeedServer
) -> None:
    wire.replies = {"/1": (429, {}, b""), "/2": (200, {}, rss(item(2))), "/3": (200, {}, rss(item(3)))}
    for n in (1, 2, 3):
        add(engine, f"f{n}", wire.url(f"/{n}", HOST))
    for minutes in range(0, 60, 5):
        run(engine, minutes)
    assert [len(wire.asked(f"/{n}")) for n in (2, 3)] == [2, 2]
    assert 3 <= len(wire.asked("/1")) <= 5


def test_a_429_behind_a_redirect_rests_the_host_that_said_so(engine: Engine, wire: FeedServer) -> None:
    wire.replies = {
        "/led": (302, {"Location": wire.url("/limited", "127.9.0.2")}, b""),
        "/limited": (429, {"Retry-After": "604800"}, b""),
        "/other": (200, {}, rss(item(1))),
    }
    add(engine, "led", wire.url("/led", HOST))
    add(engine, "other", wire.url("/other", HOST))
    report = run(engine)
    assert (report.ok, report.error) == (1, 1)
    with engine.connect() as connection:
        assert feeds.resting_hosts(connection, NOW) == {"127.9.0.2": NOW + timedelta(days=7)}
    (led,) = query(engine, "select next_due_at from feed_states where error_class = 'RateLimited'")
    assert led.next_due_at == NOW + timedelta(days=7)


def test_a_silent_host_costs_three_requests_and_all_its_feeds_back_off(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "READ_S", 0.2)
    silence = Silence()
    for n in range(12):
        wire.replies[f"/{n}"] = silence
        add(engine, f"f{n}", wire.url(f"/{n}", HOST))
    wire.replies["/fine"] = (200, {}, rss(item("fine")))
    add(engine, "fine", wire.url("/fine", "127.9.0.2"))
    report = run(engine)
    assert (report.feeds, report.error, report.ok) == (13, 12, 1)
    assert len(wire.requests) == 4
    states = query(
        engine,
        "select error_class, error_count, error_message, last_attempt_at, next_due_at from feed_states"
        " where status <> 'ok' order by feed_id",
    )
    assert {(row.error_class, row.error_count) for row in states} == {("FetchTimeout", 1)}
    assert all(NOW < row.next_due_at < NOW + timedelta(minutes=10) for row in states)
    assert [row.last_attempt_at for row in states] == [NOW] * 3 + [None] * 9
    assert [row.error_message[:9] == "not asked" for row in states] == [False] * 3 + [True] * 9

    silence.over.set()
    monkeypatch.setattr(fetch, "READ_S", 10.0)
    wire.requests.clear()
    assert run(engine, minutes=10).ok == 12
    assert {path for path, _ in wire.requests[-3:]} == {"/0", "/1", "/2"}  # those that had their turn


def test_nobody_is_blamed_while_our_own_network_is_down(engine: Engine, wire: FeedServer) -> None:
    with socket.socket() as closed:
        closed.bind(("0.0.0.0", 0))  # and does not listen
        port = closed.getsockname()[1]
        for n in range(20):
            add(engine, f"f{n}", f"http://127.9.0.{n % 4 + 1}:{port}/{n}")
        report = run(engine)
    assert (report.egress_down, report.error) == (20, 0)
    assert query(engine, "select distinct error_count, status from feed_states") == [(0, "ok")]
    assert query(engine, "select count(*) from feed_states where last_attempt_at is not null") == [(12,)]


def test_what_came_and_what_failed_is_stored_while_a_slow_host_is_waited_for(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill would else lose it, the errors too, and the next run would do the same."""
    monkeypatch.setattr(polling, "STORE_AFTER_S", 0.3)
    wire.replies["/slow"] = slow = Silence()
    for n in range(4):
        wire.replies[f"/{n}"] = (200, {}, rss(item(n)))
        add(engine, f"f{n}", wire.url(f"/{n}", f"127.9.1.{n + 1}"))
    add(engine, "dead", "http://127.9.2.1:1/")
    add(engine, "slow", wire.url("/slow", HOST))
    running = threading.Thread(target=run, args=(engine,))
    running.start()
    try:
        deadline = time.monotonic() + 15
        stored = "select outcome, count(*) from feed_fetches group by 1 order by 1"
        while (polls := query(engine, stored)) != [("error", 1), ("ok", 4)]:
            assert time.monotonic() < deadline, polls
            time.sleep(0.1)
        assert len(query(engine, "select 1 from articles where story_id is not null")) == 4
        assert query(engine, "select count(*) from feed_states where error_class = 'CannotConnect'") == [(1,)]
        assert running.is_alive()
    finally:
        slow.over.set()
        running.join(30)
    assert query(engine, "select count(*) from articles") == [(5,)]


def test_feeds_polled_by_a_clock_that_ran_ahead_do_not_wait_for_that_time(engine: Engine) -> None:
    add(engine, "wire", f"http://{HOST}/wire.xml")
    right = datetime.now(UTC)

    def due(polled: datetime, as_of: datetime) -> bool:
        with engine.begin() as connection:
            connection.execute(
                sa.text("update feed_states set last_attempt_at = :at, next_due_at = :next"),
                {"at": polled, "next": polled + timedelta(minutes=5)},
            )
        return bool(step.due_shards(engine, as_of=as_of, shards=1))

    assert due(
        right + timedelta(hours=9), right
    )  # the clock was set to local time until the network was there
    assert not due(right - timedelta(minutes=1), right)
    assert not due(right - timedelta(minutes=1), right - timedelta(days=1))  # a replay
    assert not due(right + timedelta(days=9), right + timedelta(days=9))  # and one ahead of the clock
