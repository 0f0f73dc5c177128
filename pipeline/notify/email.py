"""Mail by SMTP: plain text first, HTML beside it, the chart inside; one thread per alert."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal

from pipeline.errors import PermanentDeliveryError, TemporaryDeliveryError
from pipeline.notify import chart
from pipeline.notify.card import clean
from pipeline.notify.message import Message
from pipeline.notify.sending import TIMEOUT_S, Occasion, Sent, hide, in_time

Security = Literal["starttls", "tls", "none"]
SUBJECT_CHARS = 180
# Answers to a recipient that mean that there is none such; the status behind the code may say that it is something else.
NO_MAILBOX = frozenset({550, 551, 553})
TOO_LARGE = 552
NOT_LOGGED_IN = frozenset({530, 535})
# The status of RFC 3463; qmail writes it at the end. Not part of an IP address.
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
# Servers without a status (Exim) refuse to relay in words only.
_NO_RELAY = re.compile(r"relay|authent", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `sender` is the From address, with or without a name."""

    host: str
    port: int
    sender: str
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Sends to the addresses of one receiver."""

    server: MailServer
    to: tuple[str, ...]

    def send(self, message: Message, occasion: Occasion) -> Sent:
        """Hands the mail in. A repeat has the same Message-ID, by which mailboxes know it.

        Accepted by one of several recipients is accepted: the others are named by number in the note.
        """
        mail = build_mail(message, self.server.sender, self.to, occasion.thread)
        try:
            refused = in_time(lambda: _hand_in(mail, self.server), _where(self.server))
        except (smtplib.SMTPException, OSError) as error:
            # the error holds the login and the server's words; ours holds neither
            raise _deliverable(error, self.server) from None
        note = f"{len(refused)} of {len(self.to)} recipients were refused" if refused else None
        return Sent(str(mail["Message-ID"]), note)


def build_mail(message: Message, sender: str, to: Sequence[str], thread: str | None = None) -> EmailMessage:
    """The mail as it goes out. `thread`: Message-ID of the first mail of the episode, which it answers."""
    mail = EmailMessage()
    mail["Subject"] = clean(message.subject, SUBJECT_CHARS)
    mail["From"] = _address(sender)
    mail["To"] = [_address(one) for one in to]
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = message_id(message.key, sender)
    if thread:
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    mail["X-Undertow-Key"] = message.key
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.loud:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    if message.chart:
        png = chart.draw(message.chart, message.tone, message.zone)
        html = mail.get_payload()[1]  # type: ignore[index]
        html.add_related(  # type: ignore[union-attr]
            png, "image", "png", cid="<chart>", filename="chart.png", disposition="inline"
        )
    return mail


def message_id(key: str, sender: str) -> str:
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return f"<{key}@{re.sub(r'[^A-Za-z0-9.-]', '', domain) or 'localhost'}>"


def _address(text: str) -> Address:
    name, spec = parseaddr(text)
    return Address(display_name=name, addr_spec=spec)


def _hand_in(mail: EmailMessage, server: MailServer) -> dict[str, tuple[int, bytes]]:
    """Refused recipients with the server's answers. Once the mail is accepted nothing raises any more."""
    smtp = _connect(server)
    try:
        if server.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password or "")
        refused = smtp.send_message(mail)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        return refused
    finally:
        smtp.close()


def _connect(server: MailServer) -> smtplib.SMTP:
    # without a name of its own smtplib asks the resolver for one, which can take seconds
    name = socket.gethostname() or "localhost"
    if server.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, name, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(server.host, server.port, name, timeout=TIMEOUT_S)


def _where(server: MailServer) -> str:
    return f"mail server {server.host}:{server.port}"


def _deliverable(error: Exception, server: MailServer) -> TemporaryDeliveryError | PermanentDeliveryError:
    """Our error for one of SMTP's.

    Only a refusal of this mail, or of every recipient because there is none such, is for good; a wrong login, sender,
    relay, certificate or host is put right by a person, and the mail must still be there then.
    """
    where = _where(server)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [(code, _words(detail)) for code, detail in error.recipients.values()]
        told = sorted({f"{code} {_status(words)}".strip() for code, words in answers})
        said = f"{where} refused every recipient ({', '.join(told)})"
        if all(_no_mailbox(code, words) for code, words in answers):
            return PermanentDeliveryError(said, "check `to` of the receiver")
        mis_set = any(code >= 500 for code, _ in answers)
        return TemporaryDeliveryError(said, "check the login and UNDERTOW_SMTP_FROM" if mis_set else "")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return TemporaryDeliveryError(
            f"{where} refused the login ({error.smtp_code})", "check user and password"
        )
    if isinstance(error, smtplib.SMTPResponseException):
        words = _words(error.smtp_error)
        said = f"{where} answered {error.smtp_code} {hide(words, server.password)}"
        if _refuses_this_mail(error, words):
            return PermanentDeliveryError(said)
        mis_set = error.smtp_code >= 500 and not isinstance(
            error, smtplib.SMTPConnectError | smtplib.SMTPHeloError
        )
        return TemporaryDeliveryError(said, "check the login and UNDERTOW_SMTP_FROM" if mis_set else "")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return TemporaryDeliveryError(
            f"{where} does not offer what is asked of it ({error})",
            "check UNDERTOW_SMTP_SECURITY and the login",
        )
    return TemporaryDeliveryError(f"{where} cannot be reached ({hide(error, server.password)})")


def _refuses_this_mail(error: smtplib.SMTPResponseException, words: str) -> bool:
    """False where the server refuses us: it would refuse every other mail too."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == TOO_LARGE
    # servers that look at the sender only after the text (Exchange) say so by the status
    us = error.smtp_code in NOT_LOGGED_IN or _status(words).startswith("5.7.")
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500 and not us


def _no_mailbox(code: int, words: str) -> bool:
    status = _status(words)
    known = status.startswith("5.1.") if status else not _NO_RELAY.search(words)
    return code in NO_MAILBOX and known


def _status(words: str) -> str:
    found = _STATUS.search(words)
    return found[0] if found else ""


def _words(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
