"""What the demo's line talks to, all on loopback: the outlets' feeds, a mail server and a Slack-shaped server.

Feeds answer as real ones do (ETag, Last-Modified, 304, a dead one with 503). The receivers write down what they
were sent: one .eml file per mail, one line of slack.jsonl per call. So what the demo shows was really delivered.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller

from pipeline.demo import wire

HOST = "127.0.0.1"
SLACK_CHANNEL = "C0UNDERTOW"


class SlackBook:
    """What the Slack-shaped server was sent, kept in a file of JSON lines: method, payload, and the ts it gave."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, the oldest first."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def messages(self) -> list[dict[str, Any]]:
        """Calls that put a message in front of people, the oldest first."""
        return [call for call in self.calls() if call["method"] in ("chat.postMessage", "webhook")]

    def write(self, method: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Note a call and answer it as Slack would."""
        with self._lock:
            ts = str(payload.get("ts") or f"{1_700_000_000 + len(self.calls())}.000100")
            with self.path.open("a") as file:
                file.write(
                    json.dumps({"method": method, "ts": ts, "payload": payload}, ensure_ascii=False) + "\n"
                )
        return {
            "ok": True,
            "channel": SLACK_CHANNEL,
            "ts": ts,
            "message": {"ts": ts, "text": payload.get("text", "")},
        }


class MailBook:
    """aiosmtpd's handler: each mail becomes a numbered .eml file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mails(self) -> list[Path]:
        """Files of all mails so far, the oldest first."""
        return sorted(self.folder.glob("*.eml"))

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one mail; the answer says that it was taken."""
        path = self.folder / f"{len(self.mails()) + 1:03}.eml"
        path.write_bytes(envelope.original_content or envelope.content)
        return "250 kept"


@contextmanager
def serve(
    folder: Path, anchor: datetime, http_port: int, smtp_port: int
) -> Iterator[tuple[MailBook, SlackBook]]:
    """Serve the wire as it is at `anchor`, and both receivers, until the context ends."""
    (folder / "mail").mkdir(parents=True, exist_ok=True)
    mails, slack = MailBook(folder / "mail"), SlackBook(folder / "slack.jsonl")
    web = ThreadingHTTPServer(
        (HOST, http_port), _handler(Recording(anchor, f"http://{HOST}:{http_port}"), slack)
    )
    web.daemon_threads = True
    mail = Controller(mails, hostname=HOST, port=smtp_port, decode_data=False)
    threading.Thread(target=web.serve_forever, name="demo-web", daemon=True).start()
    try:
        mail.start()
        yield mails, slack
    finally:
        mail.stop(no_assert=True)
        web.shutdown()
        web.server_close()


class Recording:
    """The feeds and pages of the wire as bytes by path; made once, the same for the same anchor."""

    def __init__(self, anchor: datetime, base_url: str) -> None:
        today, outlets = wire.read([wire.TODAY]), wire.outlets()
        self.changed_at = anchor
        self.kinds = {outlet.path: outlet.format for outlet in outlets.values()}
        self.dead = {outlet.path for outlet in outlets.values() if outlet.dead}
        self.feeds = {
            outlet.path: wire.feed_document(outlet, today, anchor, base_url).encode()
            for outlet in outlets.values()
            if not outlet.dead
        }
        self.pages = {
            wire.address("", item): wire.article_page(item, outlets[item.feed], anchor).encode()
            for item in wire.read()
        }


def _handler(recording: Recording, slack: SlackBook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "RecordedWire/1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path in recording.feeds:
                self._answer_feed(recording.feeds[path], recording.kinds[path])
            elif path in recording.dead:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"down for maintenance\n", "text/plain")
            elif page := recording.pages.get(path):
                self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"no such page\n", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            if path.startswith("/slack/webhook/"):
                slack.write("webhook", json.loads(body))
                self._answer(HTTPStatus.OK, b"ok", "text/plain")
            elif path.startswith("/slack/api/"):
                self._answer_slack(path.removeprefix("/slack/api/"), body)
            elif path.startswith("/slack/upload/"):
                self._answer(HTTPStatus.OK, b"OK", "text/plain")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"no such page\n", "text/plain")

        def _answer_feed(self, body: bytes, kind: str) -> None:
            etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            validators = {"ETag": etag, "Last-Modified": format_datetime(recording.changed_at, usegmt=True)}
            if self.headers.get("If-None-Match") == etag:
                self._answer(HTTPStatus.NOT_MODIFIED, b"", "", validators)
            else:
                self._answer(HTTPStatus.OK, body, f"application/{kind}+xml; charset=utf-8", validators)

        def _answer_slack(self, method: str, body: bytes) -> None:
            if "json" in (self.headers.get("Content-Type") or ""):
                payload = json.loads(body or b"{}")
            else:
                payload = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            answer = slack.write(method, payload)
            if method == "files.getUploadURLExternal":
                host = self.headers.get("Host")
                answer |= {"upload_url": f"http://{host}/slack/upload/1", "file_id": "F0UNDERTOW"}
            elif method == "files.completeUploadExternal":
                answer |= {"files": [{"id": "F0UNDERTOW"}]}
            self._answer(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

        def _answer(
            self, status: HTTPStatus, body: bytes, kind: str, more: dict[str, str] | None = None
        ) -> None:
            headers = dict(more or {})
            if len(body) > 1000 and "gzip" in (self.headers.get("Accept-Encoding") or ""):
                body = gzip.compress(body, mtime=0)
                headers["Content-Encoding"] = "gzip"
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            if kind:
                self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the demo prints what matters."""

    return Handler
