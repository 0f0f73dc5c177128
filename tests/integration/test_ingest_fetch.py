"""The fetcher against hostile servers: nothing private is reached, everything ends, nothing grows."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ingest_server import FeedServer, feed_server, item, rss

from pipeline.ingest import resolver
from pipeline.ingest.answer import Answer, Request
from pipeline.ingest.fetch import Fetcher
from pipeline.values import Allowed, read_allowed

BODY = rss(item(1))


def get(url: str, allowed: Allowed | None = None, *, timeout_s: float = 2.0, **request: Any) -> Answer:
    async def go() -> Answer:
        async with Fetcher(
            timeout_s=timeout_s, connections=4, allowed=allowed or read_allowed(("127.0.0.0/8",))
        ) as fetcher:
            return await fetcher.get(Request(url, "Undertow/test", **request))

    return asyncio.run(go())


def error_of(answer: Answer) -> str:
    return type(answer.error).__name__


@pytest.fixture(scope="module")
def wire() -> Iterator[FeedServer]:
    with feed_server() as wire:
        wire.replies["/feed"] = (200, {}, BODY)
        yield wire


SPELLINGS = (
    "127.0.0.1",
    "localhost",
    "[::ffff:127.0.0.1]",
    "0x7f000001",
    "2130706433",
    "127.1",
    "0177.0.0.1",
    "0.0.0.0",
    "１２７.0.0.1",
)


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_address_is_dialled(wire: FeedServer, host: str) -> None:
    before = len(wire.requests)
    answer = get(f"http://{host}:{wire.port}/feed", Allowed())
    assert error_of(answer) in {"ForbiddenAddress", "BadAddress", "UnknownHost", "CannotConnect"}
    assert answer.body == b""
    assert len(wire.requests) == before


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.2:{port}/feed", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
     "gopher://127.0.0.1/", "//[::1]:{port}/feed", "http://user:pw@127.0.0.1:{port}/feed"],
)  # fmt: skip
def test_redirects_pass_the_same_guard(wire: FeedServer, target: str) -> None:
    wire.replies["/away"] = (302, {"Location": target.format(port=wire.port)}, b"")
    before = len(wire.requests)
    answer = get(wire.url("/away"), read_allowed((f"127.0.0.1:{wire.port}",)))
    assert error_of(answer) in {"ForbiddenAddress", "BadAddress", "CannotConnect", "BadRedirect"}
    assert len(wire.requests) == before + 1


def test_a_name_is_resolved_once_and_checked_where_it_is_dialled(
    wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what a resolver says is not trusted; the address of the socket is."""
    original = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return original("127.0.0.1" if host == "feeds.example" else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert error_of(get(f"http://feeds.example:{wire.port}/feed", Allowed())) == "ForbiddenAddress"
    assert get(f"http://feeds.example:{wire.port}/feed").body == BODY


def test_names_without_an_answer_hold_up_nothing_else(
    wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the other names, not what asyncio's own pool of threads does, not the end of the loop."""
    original, released = socket.getaddrinfo, threading.Event()

    def slow(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host.startswith("dead"):
            released.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return original("127.0.0.1", port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(resolver, "LOOKUP_S", 3.0)

    async def waits() -> float:
        await asyncio.sleep(0.5)
        began = time.monotonic()
        await asyncio.to_thread(lambda: None)
        return time.monotonic() - began

    async def go() -> tuple[list[Answer], list[Answer], float]:
        allowed = read_allowed(("127.0.0.0/8",))
        async with Fetcher(timeout_s=20, connections=64, allowed=allowed) as fetcher:

            async def ask(host: str) -> Answer:
                return await fetcher.get(Request(f"http://{host}:{wire.port}/feed", "Undertow/test"))

            dead = asyncio.gather(*(ask(f"dead{n}.test") for n in range(40)))
            good = asyncio.gather(*(ask(f"good{n}.test") for n in range(20)))
            waited = await waits()
            return await dead, await good, waited

    began = time.monotonic()
    try:
        dead, good, waited = asyncio.run(go())
    finally:
        released.set()
    assert {answer.status for answer in good} == {200}
    assert max(answer.duration_ms for answer in good) < 2_000
    assert waited < 1
    assert {error_of(answer) for answer in dead} == {"UnknownHost"}
    assert time.monotonic() - began < 15


def test_a_lookup_under_way_does_not_hold_up_the_end_of_the_process() -> None:
    script = """
import asyncio, socket, time
from pipeline.ingest import resolver
socket.getaddrinfo = lambda *_, **more: time.sleep(60)
resolver.LOOKUP_S = 0.1
async def go():
    try:
        await resolver.Resolver(1).resolve("dead.test", 80)
    except OSError as error:
        print(error)
asyncio.run(go())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert "no answer from the name server within 0.1 s" in done.stdout


def test_a_lookup_that_was_given_up_makes_room_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    original, released = socket.getaddrinfo, threading.Event()

    def slow(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "dead.test":
            released.wait(60)
        return original("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(resolver, "LOOKUP_S", 0.1)

    async def go() -> list[str]:
        looking = resolver.Resolver(1)
        for _ in range(resolver.THREADS):
            with pytest.raises(OSError, match="no answer"):
                await looking.resolve("dead.test", 80)
        asyncio.get_running_loop().call_later(0.2, released.set)
        return [found["host"] for found in await looking.resolve("good.test", 80)]

    assert asyncio.run(go()) == ["127.0.0.1"]


def test_a_thread_that_cannot_start_costs_one_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a container's limit of processes: not the run, and no place among the lookups."""

    def cannot(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def go() -> list[str]:
        looking = resolver.Resolver(1)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", cannot)
            for _ in range(resolver.THREADS):
                with pytest.raises(OSError, match="no thread for a lookup"):
                    await looking.resolve("good.test", 80)
            async with Fetcher(timeout_s=5, connections=2, allowed=Allowed()) as fetcher:
                answer = await fetcher.get(Request("http://good.test/feed", "Undertow/test"))
                assert error_of(answer) == "UnknownHost"
        async with asyncio.timeout(5):
            return [found["host"] for found in await looking.resolve("127.0.0.1", 80)]

    assert asyncio.run(go()) == ["127.0.0.1"]


def test_proxy_variables_are_ignored(wire: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{wire.port}")
    assert error_of(get("http://10.1.2.3/feed", Allowed())) == "ForbiddenAddress"


def test_validators_go_only_where_they_came_from(wire: FeedServer) -> None:
    wire.replies["/moved"] = (302, {"Location": "/feed", "Set-Cookie": "a=b"}, b"")
    wire.requests.clear()
    get(wire.url("/moved"), etag='"1"', validators_url=wire.url("/feed"))
    (first,), (second,) = wire.asked("/moved"), wire.asked("/feed")
    assert "if-none-match" not in first
    assert second["if-none-match"] == '"1"'
    assert "cookie" not in second


def test_validators_that_no_request_may_hold_are_left_out() -> None:
    """The client takes a control character from a server, but sends none: kept, it would end each later poll of the feed."""
    sent = b""
    with raw_server(lambda connection: connection.sendall(sent)) as url:
        for byte in (*range(1, 10), 11, 12, *range(14, 32), 127):
            value = b'"a%cb"' % byte
            sent = b"HTTP/1.1 200 OK\r\nETag: %s\r\nLast-Modified: %s\r\nContent-Length: 2\r\n\r\nok" % (
                value,
                value,
            )
            first = get(url)
            kept = first.headers.get("etag"), first.headers.get("last-modified")
            assert first.status == 200
            assert kept == ((value.decode(),) * 2 if byte == ord("\t") else (None, None))
            for etag, modified in (kept, (value.decode(), value.decode())):  # the latter: as stored before
                again = get(url, etag=etag, last_modified=modified, validators_url=url)
                assert (again.status, again.body) == (200, b"ok"), again.error


def test_six_hops_are_too_many_and_https_is_not_left(wire: FeedServer) -> None:
    from pipeline.ingest.answer import BadRedirect
    from pipeline.ingest.fetch import next_url

    for n in range(7):
        wire.replies[f"/hop{n}"] = (302, {"Location": f"/hop{n + 1}"}, b"")
    assert error_of(get(wire.url("/hop0"))) == "BadRedirect"
    with pytest.raises(BadRedirect, match="https"):
        next_url("https://e.com/feed", "http://e.com/feed", set())


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of bytes, for answers that no honest library sends."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    answer(connection)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/feed"
    finally:
        done.set()
        listener.close()


def drip_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.1)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rss>")
    for _ in range(200):
        connection.sendall(b" ")
        time.sleep(0.1)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def huge_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(800):
        connection.sendall(b"y" * 65_536)


def bomb(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"\x00" * 40_000_000)
    )


def liar(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n<rss>")


def breaks_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")


def nonsense(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff\x00SSH-2.0\r\n\r\n")


@pytest.mark.parametrize(
    ("behaviour", "errors"),
    [
        (drip_header, {"FetchTimeout"}),
        (drip_body, {"FetchTimeout"}),
        (endless, {"TooLarge"}),
        (huge_header, {"BadAnswer", "BadAddress"}),
        (bomb, {"TooLarge"}),
        (liar, {"TooLarge"}),
        (breaks_off, {"BadAnswer", "CannotConnect"}),
        (nonsense, {"BadAnswer"}),
    ],
)
def test_hostile_answers_end_and_stay_small(
    behaviour: Callable[[socket.socket], None], errors: set[str]
) -> None:
    started, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with raw_server(behaviour) as url:
        answer = get(url)
    assert error_of(answer) in errors
    assert time.monotonic() - started < 10
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024 < 80  # MB


def test_a_refused_connection_and_an_unknown_name_have_names() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert error_of(get(f"http://127.0.0.1:{port}/")) == "CannotConnect"
    assert error_of(get("http://nowhere.invalid/")) == "UnknownHost"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://e.com/", "http://", "http://u:p@e.com/", "nonsense"]
)
def test_only_plain_http_is_fetched(url: str) -> None:
    answer = get(url)
    assert error_of(answer) == "BadAddress"
    assert "u:p" not in str(answer.error)
