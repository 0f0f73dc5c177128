"""`undertow ingest` on the recorded wire amid servers that fail in every way: the good are stored, the bad are named.

    .venv/bin/python bench/ingest_wild.py

Each feed has a loopback address of its own. Two runs through the command line, a home and a database of its own, the
settings as shipped but for the permission to reach loopback. Exit status 1 if a feed's outcome is not the expected one, if
a good feed's article is missing, if a run takes over 35 s beside the time of a run of one good feed, or if its memory grows by over 80 MB.
"""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/integration")]

from ingest_server import FeedServer, Reply, feed_server  # noqa: E402

from pipeline.demo.server import Recording  # noqa: E402

END_S, GROWTH_MB = 35.0, 80
RSS = {"Content-Type": "application/rss+xml; charset=utf-8"}
FEED = b"<rss version='2.0'><channel><title>T</title><item><title>News</title></item></channel></rss>"
GZIP = RSS | {"Content-Encoding": "gzip"}
CHALLENGE = b"<html><head><title>Just a moment...</title></head><body>challenge-platform</body></html>"
# What a server answers, and the class under which the feed's failure must be found.
ANSWERS: dict[str, tuple[Reply, str]] = {
    "500": ((500, {}, b""), "ServerError"),
    "503": ((503, {"Retry-After": "3600"}, b""), "Unavailable"),
    "404": ((404, {}, b""), "NotFound"),
    "403": ((403, {}, b""), "Forbidden"),
    "410": ((410, {}, b""), "Gone"),
    "429": ((429, {"Retry-After": "600"}, b""), "RateLimited"),
    "gzip-cut": ((200, GZIP, gzip.compress(FEED * 50)[:-20]), "BadEncoding"),
    "gzip-broken": ((200, GZIP, b"\x1f\x8b\x08\x00" + b"x" * 200), "BadEncoding"),
    "gzip-bomb": ((200, GZIP, gzip.compress(b" " * 400_000_000, 6)), "TooLarge"),
    "gzip-twice": ((200, RSS | {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(FEED))), "BadEncoding"),
    "redirect-loop": ((302, {"Location": "/redirect-loop"}, b""), "BadRedirect"),
    "redirect-to-file": ((302, {"Location": "file:///etc/hostname"}, b""), "BadAddress"),
    "redirect-to-private": ((302, {"Location": "http://10.0.0.1/feed"}, b""), "ForbiddenAddress"),
    "huge": ((200, RSS, b"<rss>" + b"x" * 11_000_000), "TooLarge"),
    "page": ((200, {"Content-Type": "text/html"}, b"<!doctype html><html><body>Hello</body></html>"), "HtmlPage"),
    "challenge": ((200, {"Content-Type": "text/html"}, CHALLENGE), "ChallengePage"),
    "empty": ((200, RSS, b""), "EmptyBody"),
    "binary": ((200, RSS, bytes(range(256)) * 40), "NotAFeed"),
}  # fmt: skip


def drips_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    _drip(connection, b"X: y\r\n")


def drips_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n\r\n<rss>")
    _drip(connection, b" ")


def says_nothing(connection: socket.socket) -> None:
    time.sleep(120)


def never_ends(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def huge_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(800):
        connection.sendall(b"y" * 65_536)


def breaks_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")


def speaks_ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-server\r\n")


def _drip(connection: socket.socket, drop: bytes) -> None:
    for _ in range(240):
        connection.sendall(drop)
        time.sleep(0.5)


RAW: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "drips-header": (drips_header, "FetchTimeout"),
    "drips-body": (drips_body, "FetchTimeout"),
    "says-nothing": (says_nothing, "FetchTimeout"),
    "never-ends": (never_ends, "TooLarge"),
    "huge-header": (huge_header, "BadAnswer"),
    "breaks-off": (breaks_off, "BadAnswer"),
    "speaks-ssh": (speaks_ssh, "BadAnswer"),
}


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of bytes; its port."""
    listener = socket.create_server(("0.0.0.0", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                answer(connection)
            except OSError:
                pass  # the client has seen enough

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as home, feed_server() as wire:
        expected, urls = good(wire), {}
        for n, name in enumerate(expected, 1):
            urls[name] = wire.url(f"/{name}", f"127.4.0.{n}")
        for n, (name, (reply, error)) in enumerate(ANSWERS.items(), 1):
            wire.replies[f"/{name}"], expected[name] = reply, error
            urls[name] = wire.url(f"/{name}", f"127.4.1.{n}")
        for n, (name, (answer, error)) in enumerate(RAW.items(), 1):
            port = raw_server(answer).__enter__()  # closed with the process
            urls[name], expected[name] = f"http://127.4.2.{n}:{port}/feed", error
        urls |= {
            "tls": wire.url("/500", "127.4.3.1").replace("http:", "https:"),
            "refused": "http://127.4.3.2:9/feed",
        }
        urls |= {"unknown-host": "http://nowhere.invalid/feed", "private": "http://192.168.7.7/feed"}
        expected |= {"tls": "BadCertificate", "refused": "CannotConnect", "unknown-host": "UnknownHost", "private": "ForbiddenAddress"}  # fmt: skip
        sys.exit(run(Path(home), urls, expected))


def good(wire: FeedServer) -> dict[str, str]:
    """The recorded wire by name; expected: the number of its items."""
    recording = Recording(datetime.now(UTC), "http://127.0.0.1")
    found = {}
    for path, body in recording.feeds.items():
        name = path.strip("/").replace("/", "-").replace(".", "-")
        kind = "atom" if recording.kinds[path] == "atom" else "rss"
        wire.replies[f"/{name}"] = (200, {"Content-Type": f"application/{kind}+xml; charset=utf-8"}, body)
        found[name] = str(body.count(b"<item>") + body.count(b"<entry>"))
    return found


def run(home: Path, urls: dict[str, str], expected: dict[str, str]) -> int:
    feeds = home / "feeds.toml"
    environment = os.environ | {
        "UNDERTOW_HOME": str(home / "home"), "UNDERTOW_FEEDS_FILE": str(feeds), "UNDERTOW_FETCH_ALLOW_PRIVATE": "127.0.0.0/8",
        "UNDERTOW_COMPANIES_FILE": str(ROOT / "pipeline/demo/companies.toml"),
    }  # fmt: skip
    try:
        feeds.write_text(_listed(urls, next(iter(urls))))
        undertow(environment, "db", "migrate")
        _, bare_s, bare_mb = undertow(environment, "ingest")
        feeds.write_text(
            "".join(f'[[feeds]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items())
        )
        said, seconds, peak_mb = undertow(environment, "ingest", "--json")
        undertow(environment, "sql", "--csv", str(home / "polls.csv"), "--write", _POLLS)
    finally:
        undertow(environment, "down")
    print(said.strip())
    print(f"{seconds - bare_s:.1f} s beside {bare_s:.1f} s of a run of one good feed; peak memory {peak_mb} MB, {bare_mb} MB with one feed")  # fmt: skip
    wrong = check((home / "polls.csv").read_text(), expected)
    print("\n".join(wrong) or f"{len(expected)} feeds: every outcome as expected")
    return bool(wrong or seconds - bare_s > END_S or peak_mb - bare_mb > GROWTH_MB)


_POLLS = "select f.name, p.outcome, p.error_class, p.new from feed_fetches p join feeds f on f.id = p.feed_id"


def _listed(urls: dict[str, str], *names: str) -> str:
    return "".join(f'[[feeds]]\nname = "{name}"\nurl = "{urls[name]}"\n' for name in names)


def check(rows: str, expected: dict[str, str]) -> list[str]:
    wrong = []
    found = {line.split(",")[0]: line.split(",")[1:] for line in rows.splitlines()[1:]}
    for name, wanted in expected.items():
        outcome, error, new = found.get(name, ["never polled", "", ""])
        print(f"{name:22} {outcome:6} {error or new + ' articles'}")
        if (new if wanted.isdigit() else error) != wanted:
            wrong.append(f"{name}: wanted {wanted}, found {outcome} {error} {new}")
    return wrong


def undertow(environment: dict[str, str], *arguments: str) -> tuple[str, float, int]:
    """(what the command printed, its wall seconds, its peak memory in MB)."""
    command = [sys.executable, "-c", _MEASURED, str(Path(sys.executable).with_name("undertow")), *arguments]
    at = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=environment["UNDERTOW_HOME"].rsplit("/", 1)[0])  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
    seconds = time.perf_counter() - at
    output, _, peak = done.stdout.rpartition("peak ")
    return output, seconds, int(peak) // 1024


# Peak memory of one command: of the process itself, by a parent that has no other child.
_MEASURED = (
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode;"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)


if __name__ == "__main__":
    main()
