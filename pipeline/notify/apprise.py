"""Everything else by Apprise address: Teams, Telegram, WeCom, Feishu, DingTalk, PagerDuty and a hundred more."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from pipeline.errors import TemporaryDeliveryError
from pipeline.notify.card import clean
from pipeline.notify.message import Message
from pipeline.notify.sending import TIMEOUT_S, Occasion, Sent, hide, secrets_in

TITLE_CHARS = 200
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
        reasons: list[str] = []
        accepted = target.notify(
            title=clean(message.subject, TITLE_CHARS),
            body=message.text,
            notify_type=TYPES.get(message.tone, "info"),
            body_format=apprise.NotifyFormat.TEXT,
            timeout=2 * TIMEOUT_S,
            log_callback=lambda entry, service: reasons.append(entry.message),
            log_level=logging.WARNING,
        )
        if not accepted:
            why = hide("; ".join(reasons[-2:]) or "no reason given", *secrets_in(self.url))
            raise TemporaryDeliveryError(f"{target[0].service_name} did not take it ({why})")
        return Sent(f"apprise:{message.key}")


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
