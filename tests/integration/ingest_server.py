"""A feed server on loopback whose answers a test sets: real sockets, real HTTP, one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = dict[str, str]
Reply = tuple[int, Headers, bytes]
Handler = Callable[[str, Headers], Reply]


@dataclass
class FeedServer:
    """`replies[path]` is a Reply or a function of (path, request headers); `requests` keeps what came."""

    port: int = 0
    replies: dict[str, Reply | Handler] = field(default_factory=dict)
    requests: list[tuple[str, Headers]] = field(default_factory=list)

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def asked(self, path: str) -> list[Headers]:
        """Headers (lower-case names) of the requests for a path, oldest first."""
        return [headers for asked, headers in self.requests if asked == path]


@contextmanager
def feed_server() -> Iterator[FeedServer]:
    """A server that listens on every loopback address."""
    state = FeedServer()

    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append((self.path, headers))
            reply = state.replies.get(self.path, (404, {}, b""))
            status, answer, body = reply(self.path, headers) if callable(reply) else reply
            (self.send_response_only if "Date" in answer else self.send_response)(status)
            for name, value in ({"Content-Length": str(len(body))} | answer).items():
                self.send_header(name, value)
            self.end_headers()
            if status not in (204, 304):
                with suppress(ConnectionError):  # a client that has seen enough
                    self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Listening(ThreadingHTTPServer):
        request_queue_size = 1_024

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is no news here; some tests kill it."""

    server = Listening(("0.0.0.0", 0), Handling)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def rss(*items: str, head: str = "") -> bytes:
    """An RSS document around `items`."""
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Outlet</title>{head}{"".join(items)}</channel></rss>'.encode()


def item(
    n: int | str,
    title: str = "",
    text: str = "",
    date: str = "Mon, 23 Nov 2026 10:00:00 GMT",
    extra: str = "",
) -> str:
    """One RSS item with guid, link, title, date and text."""
    title = title or f"Company number {n} opens its factory number {n} in Ohio"
    text = (
        text
        or f"The company said on Monday that plant {n} would make {n}00 engines a year from next spring on."
    )
    return (
        f"<item><guid isPermaLink='false'>id-{n}</guid><link>https://example.com/news/{n}</link><title>{title}</title>"
        f"<pubDate>{date}</pubDate><description>{text}</description>{extra}</item>"
    )
