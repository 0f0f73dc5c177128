"""Everything else by Apprise address: Teams, Telegram, WeCom, Feishu, DingTalk, PagerDuty and a hundred more."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import TemporaryDeliveryError
from pipeline.notify.card import clean
from pipeline.notify.message import Message
from pipeline.notify.sending import TIMEOUT_S, Occasion, Sent, hide, secrets_in

TITLE_CHARS = 200
# Services that take less are text messages and pagers (Apprise knows of 67 to 600 characters, of chats from 1,000 on): in
# parts an alert would be a dozen of them, paid for one by one.
CHAT_CHARS = 1000
# Each part of a message would open an incident of its own.
ONE_MESSAGE_EACH = frozenset({"Pager Duty"})
# Their limit is one of bytes; Apprise counts characters.
COUNT_BYTES = frozenset({"WeCom Bot", "WeChat (WeCom)"})
TYPES = {"critical": "failure", "warning": "warning", "resolved": "success", "note": "info"}


@dataclass(frozen=True, slots=True)
class AppriseSender:
    """Sends to one Apprise address, which is a secret: it holds tokens."""

    name: str
    url: str = field(repr=False)

    def send(self, message: Message, occasion: Occasion) -> Sent:
        """Title and plain text. Apprise says only yes or no; what it logs meanwhile gives the reason."""
        import apprise

        _HIDING.keep_out(secrets_in(self.url))
        target = apprise.Apprise()
        if not target.add(self.url):
            raise TemporaryDeliveryError(
                f"the address of {self.name} is none that Apprise knows", "check UNDERTOW_APPRISE_URLS"
            )
        title = clean(message.subject, TITLE_CHARS)
        for plugin in target:
            _fit(plugin, f"{title}\n{message.text}")
        reasons: list[str] = []
        accepted = target.notify(
            title=title,
            body=message.text,
            notify_type=TYPES.get(message.tone, "info"),
            body_format=apprise.NotifyFormat.TEXT,
            timeout=2 * TIMEOUT_S + sum(_pauses_s(plugin, message.text) for plugin in target),
            log_callback=lambda entry, service: reasons.append(entry.message),
            log_level=logging.WARNING,
        )
        if not accepted:
            why = hide("; ".join(reasons[-2:]) or "no reason given", *secrets_in(self.url))
            raise TemporaryDeliveryError(f"{target[0].service_name} did not take it ({why})")
        return Sent(f"apprise:{message.key}")


def _fit(plugin: Any, text: str) -> None:
    """A text that is too long goes out in parts, or cut; as Apprise comes it goes out whole and is refused each time.

    An address with `overflow=` says what it wants, and so do plugins that set the mode themselves: those have it in
    the instance, all others in the class.
    """
    import apprise

    if "overflow_mode" in vars(plugin):
        return
    cut = plugin.body_maxlen < CHAT_CHARS or plugin.service_name in ONE_MESSAGE_EACH
    plugin.overflow_mode = apprise.OverflowMode.TRUNCATE if cut else apprise.OverflowMode.SPLIT
    if plugin.service_name in COUNT_BYTES:
        # a part has no more bytes beyond its characters than the whole text, and a character no more than four
        beyond = len(text.encode()) - len(text)
        plugin.body_maxlen = max(plugin.body_maxlen // 4, plugin.body_maxlen - beyond)


def _pauses_s(plugin: Any, text: str) -> float:
    """Seconds that Apprise waits between the parts, at most: parts end at a line, so they may be half full."""
    import apprise

    if plugin.overflow_mode != apprise.OverflowMode.SPLIT:
        return 0.0
    return float(2 * len(text) // max(1, plugin.body_maxlen) * plugin.request_rate_per_sec)


class _Hiding(logging.Filter):
    """Takes addresses out of the log lines of Apprise and of the HTTP library under it."""

    LOGGERS = ("apprise", "urllib3.connectionpool")

    def __init__(self) -> None:
        super().__init__()
        self.secrets: list[str] = []

    def keep_out(self, secrets: list[str]) -> None:
        self.secrets = sorted({*self.secrets, *secrets}, key=len, reverse=True)
        for name in self.LOGGERS:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = hide(record.getMessage(), *self.secrets), ()
        return True


_HIDING = _Hiding()
