"""A mail server and a Slack-shaped server on loopback, with the failures of real ones on demand."""

from __future__ import annotations

import asyncio
import email
import json
import socket
import threading
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MailSink:
    """Keeps what it accepts. `answer` decides on each mail; `refuse` holds addresses it does not know."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.connections = 0
        self.refuse: set[str] = set()
        self.answer: Callable[[EmailMessage], str | None] = lambda mail: None
        self.delay_s = 0.0
        self.lock = threading.Lock()
        self.port = free_port()
        self._controller = Controller(self, "127.0.0.1", self.port, ready_timeout=20)

    def __enter__(self) -> MailSink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_EHLO(self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:  # fmt: skip
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # fmt: skip
        if address in self.refuse:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        mail = email.message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[arg-type]
        refusal = self.answer(mail)  # type: ignore[arg-type]
        await asyncio.sleep(self.delay_s)
        if refusal:
            return refusal
        with self.lock:
            self.mails.append(mail)  # type: ignore[arg-type]
            self.recipients.append(list(envelope.rcpt_tos))
        await asyncio.sleep(self.delay_s)
        return "250 OK"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


class SlackSink:
    """chat.postMessage, chat.update, conversations.history and .replies, and an incoming webhook.

    `answers` are given before anything is done, one per call: (status, body, headers).
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.webhooks: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.delay_s = 0.0
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T000/B000/SeCrEtPaTh"

    def __enter__(self) -> SlackSink:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/api/{method}", self._api)
        app.router.add_post("/services/{path:.*}", self._webhook)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", self.port).start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append(method)
        self.tokens.add(request.headers.get("Authorization", ""))
        if self.answers:
            return self._given()
        if request.content_type == "application/json":
            sent = await request.json()
        else:
            sent = dict(await request.post())
        await asyncio.sleep(self.delay_s)
        answer = getattr(self, "_" + method.replace(".", "_"))(sent)
        await asyncio.sleep(self.delay_s)
        return web.json_response(answer)

    async def _webhook(self, request: web.Request) -> web.Response:
        self.calls.append("webhook")
        if self.answers:
            return self._given()
        self.webhooks.append(await request.json())
        return web.Response(text="ok")

    def _given(self) -> web.Response:
        status, body, headers = self.answers.pop(0)
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    def _chat_postMessage(self, sent: dict[str, Any]) -> dict[str, Any]:
        ts = f"{time.time():.6f}"
        self.messages.append({**sent, "ts": ts, "edits": 0})
        return {"ok": True, "channel": sent["channel"], "ts": ts}

    def _chat_update(self, sent: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if message["ts"] == sent["ts"] and message["channel"] == sent["channel"]:
                message.update(blocks=sent["blocks"], text=sent["text"], edits=message["edits"] + 1)
                return {"ok": True, "channel": sent["channel"], "ts": sent["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _conversations_history(self, sent: dict[str, Any]) -> dict[str, Any]:
        found = [m for m in self.messages if m["channel"] == sent["channel"] and not m.get("thread_ts")]
        return self._page(found, sent)

    def _conversations_replies(self, sent: dict[str, Any]) -> dict[str, Any]:
        found = [m for m in self.messages if sent["ts"] in (m["ts"], m.get("thread_ts"))]
        return self._page(found, sent)

    def _page(self, found: list[dict[str, Any]], sent: dict[str, Any]) -> dict[str, Any]:
        if str(sent.get("include_all_metadata")) not in ("1", "True", "true"):
            found = [{k: v for k, v in m.items() if k != "metadata"} for m in found]
        return {"ok": True, "messages": [m for m in found if float(m["ts"]) >= float(sent.get("oldest", 0))]}

    def keys(self) -> list[str]:
        return [message["metadata"]["event_payload"]["key"] for message in self.messages]

    def text_of(self, message: dict[str, Any]) -> str:
        return json.dumps(message["blocks"], ensure_ascii=False)
