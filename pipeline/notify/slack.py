"""Slack: with a bot token one message per alert, edited in place, with replies in its thread; with a webhook one
message per event. A resend looks first whether the message arrived, by the key in its metadata.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from pipeline.errors import DeliveryError, PermanentDeliveryError, TemporaryDeliveryError
from pipeline.notify.message import Message
from pipeline.notify.sending import TIMEOUT_S, Occasion, Sent, SlowDown, hide, in_time, secrets_in
from pipeline.notify.slack_blocks import escape

EVENT_TYPE = "undertow_notification"
# Slack's clock and ours may differ.
CLOCK_SLACK = timedelta(minutes=5)
# A page of history is enough: it begins when the lost try began.
HISTORY_MESSAGES = 200
# Answers that no later try can change. A missing scope, token or channel is put right by a person, so it is tried again.
HOPELESS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "too_many_attachments", "no_text"}
)
# The message to edit is gone, too old or in a channel that the bot has left: a new one is posted instead. If the channel
# of today is a wrong one too, posting says so.
NO_EDIT = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
    }
)
# Channel and ts of a message. The thread of an alert that began by webhook or mail looks otherwise.
OURS = re.compile(r"[A-Z0-9]+:\d+\.\d+")
# The client logs webhook addresses, and on a lost connection posts again, which may be twice.
_QUIET: dict[str, Any] = {"logger": logging.Logger("slack", logging.CRITICAL + 1), "retry_handlers": []}


@dataclass(frozen=True, slots=True)
class SlackBotSender:
    """Posts to one channel with a bot token (scopes chat:write, and channels:history or groups:history to look back)."""

    channel: str
    token: str = field(repr=False)
    base_url: str = WebClient.BASE_URL

    def send(self, message: Message, occasion: Occasion) -> Sent:
        with _slack_errors(self.token):
            client = WebClient(self.token, base_url=self.base_url, timeout=int(TIMEOUT_S), **_QUIET)
            return in_time(lambda: self._tell(client, message, occasion), "Slack")

    def _tell(self, client: WebClient, message: Message, occasion: Occasion) -> Sent:
        if occasion.thread and OURS.fullmatch(occasion.thread):
            return self._go_on(client, message, occasion, occasion.thread)
        return self._open(client, message, occasion)

    def _open(self, client: WebClient, message: Message, occasion: Occasion) -> Sent:
        if occasion.maybe_sent_since:
            found, note = self._look(client, message, occasion.maybe_sent_since, None)
            if found:
                return Sent(found, "found in the channel after an interrupted try")
        else:
            note = None
        answer = client.chat_postMessage(
            channel=self.channel, blocks=list(message.blocks), **_common(message)
        )
        return Sent(f"{answer['channel']}:{answer['ts']}", note)

    def _go_on(self, client: WebClient, message: Message, occasion: Occasion, thread: str) -> Sent:
        """Edits the first message (harmless to repeat), then says what changed in its thread."""
        channel, _, ts = thread.partition(":")
        try:
            client.chat_update(
                channel=channel, ts=ts, blocks=list(message.blocks), text=escape(message.summary)
            )
        except SlackApiError as error:
            if error.response.get("error") not in NO_EDIT:
                raise
            return self._open(client, message, occasion)
        if occasion.maybe_sent_since:
            found, _ = self._look(client, message, occasion.maybe_sent_since, (channel, ts))
            if found:
                return Sent(found, "found in the thread after an interrupted try")
        answer = client.chat_postMessage(
            channel=channel,
            thread_ts=ts,
            reply_broadcast=message.kind == "rise",
            blocks=list(message.reply or message.blocks),
            **_common(message),
        )
        return Sent(f"{channel}:{answer['ts']}")

    def _look(
        self, client: WebClient, message: Message, since: datetime, thread: tuple[str, str] | None
    ) -> tuple[str | None, str | None]:
        """Channel and ts of the message if it is there, and a note when it could not be looked for."""
        oldest = str((since - CLOCK_SLACK).timestamp())
        asked: dict[str, Any] = {
            "oldest": oldest,
            "limit": HISTORY_MESSAGES,
            "include_all_metadata": True,
        }
        try:
            if thread:
                answer = client.conversations_replies(channel=thread[0], ts=thread[1], **asked)
            else:
                answer = client.conversations_history(channel=self.channel, **asked)
        except SlackApiError as error:
            if error.response.get("error") in ("missing_scope", "channel_not_found", "not_in_channel"):
                return None, "sent again without looking back: the bot may not read the channel"
            raise
        channel = thread[0] if thread else str(answer.get("channel") or self.channel)
        for found in answer.get("messages") or []:
            payload = (found.get("metadata") or {}).get("event_payload") or {}
            if payload.get("key") == message.key:
                return f"{channel}:{found['ts']}", None
        return None, None


@dataclass(frozen=True, slots=True)
class SlackWebhookSender:
    """Posts to the channel of an incoming webhook: no threads, no edits, no looking back."""

    url: str = field(repr=False)

    def send(self, message: Message, occasion: Occasion) -> Sent:
        with _slack_errors(self.url):
            client = WebhookClient(self.url, timeout=int(TIMEOUT_S), **_QUIET)
            answer = in_time(
                lambda: client.send(text=escape(message.summary), blocks=list(message.blocks)), "Slack"
            )
        if answer.status_code == 200:
            if answer.body.lstrip().startswith("<"):
                raise TemporaryDeliveryError(
                    "a web page came in place of Slack's answer", "check the address and the proxy on the way"
                )
            return Sent(f"webhook:{message.key}")
        if answer.status_code == 429:
            raise SlowDown("Slack asks to slow down (429)", _seconds(answer.headers.get("Retry-After")))
        said = (
            f"Slack's webhook answered {answer.status_code} {hide(answer.body, *secrets_in(self.url))[:80]}"
        )
        kind = PermanentDeliveryError if answer.status_code == 400 else TemporaryDeliveryError
        raise kind(said)


def _common(message: Message) -> dict[str, Any]:
    return {
        "text": escape(message.summary),
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": message.key}},
        "unfurl_links": False,
        "unfurl_media": False,
    }


@contextmanager
def _slack_errors(secret: str) -> Iterator[None]:
    """Turns errors of the client into ours; its own texts hold the whole answer, ours hold Slack's word for it."""
    try:
        yield
    except DeliveryError:
        raise
    except SlackApiError as error:
        raise _refused(error) from None
    except (SlackClientError, OSError, HTTPException, ValueError) as error:
        raise TemporaryDeliveryError(
            f"Slack cannot be reached ({hide(error, *secrets_in(secret))})"
        ) from None


def _refused(error: SlackApiError) -> DeliveryError:
    response = error.response
    word = str(response.get("error") or "")
    status = getattr(response, "status_code", 200)
    if status == 429 or word == "ratelimited":
        return SlowDown("Slack asks to slow down (429)", _seconds(response.headers.get("Retry-After")))
    said = f"Slack answered {word or status}"
    if word in HOPELESS:
        return PermanentDeliveryError(said)
    advice = "check the bot token and that the bot is in the channel" if 400 > status >= 200 else ""
    return TemporaryDeliveryError(said, advice)


def _seconds(value: Any) -> float:
    try:
        return max(1.0, float(value))
    except (TypeError, ValueError):
        return 60.0
