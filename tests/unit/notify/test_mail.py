"""The mail as it goes out."""

from __future__ import annotations

import email
import smtplib
import struct
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from notify_examples import message

from pipeline.errors import PermanentDeliveryError, TemporaryDeliveryError
from pipeline.notify import chart
from pipeline.notify.email import EmailSender, MailServer, build_mail, message_id
from pipeline.notify.sending import Occasion

SENDER = "Undertow <alerts@bank.example>"


def built(name: str = "company_crisis", kind: str = "open", thread: str | None = None) -> EmailMessage:
    """As a mail client reads it: through bytes and back."""
    mail = build_mail(message(name, kind), SENDER, ["risk@bank.example", "Duty <duty@bank.example>"], thread)
    return email.message_from_bytes(bytes(mail), policy=policy.default)  # type: ignore[return-value]


def test_plain_text_comes_first_then_html_with_the_chart_inside() -> None:
    mail = built()
    assert mail.get_content_type() == "multipart/alternative"
    text, related = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().startswith("Critical · Nordbank: 23 negative stories")
    page, image = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert "cid:chart" in page.get_content()
    assert image["Content-ID"] == "<chart>"
    assert image.get_content_disposition() == "inline"
    assert image.get_content()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_card_without_chart_has_no_image() -> None:
    assert [part.get_content_type() for part in built("minimal").iter_parts()] == ["text/plain", "text/html"]


def test_headers_thread_and_identify() -> None:
    first, later = built(), built(kind="rise", thread="<first@bank.example>")
    assert first["Message-ID"] == "<c0ffeec0ffeec0ffeec0ffeec0ffeeab@bank.example>"
    assert first["X-Undertow-Key"] == "c0ffeec0ffeec0ffeec0ffeec0ffeeab"
    assert first["In-Reply-To"] is None
    assert later["In-Reply-To"] == later["References"] == "<first@bank.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Importance"] == "high"
    assert built("one_source")["Importance"] is None
    assert built(kind="resolve")["Importance"] is None
    assert str(first["To"]) == "risk@bank.example, Duty <duty@bank.example>"
    assert str(first["Date"]) == "Tue, 15 Sep 2026 14:15:00 +0000"


def test_hostile_titles_forge_no_header() -> None:
    mail = built("hostile")
    assert "Bcc" not in mail
    assert len(mail.get_all("Subject")) == 1
    assert str(mail["Subject"]).startswith("Critical · <script>alert(1)</script>Nord Bcc: evil@example.com")


def test_message_id_of_an_odd_sender() -> None:
    assert message_id("abc", "root@localhost") == "<abc@localhost>"
    assert message_id("abc", "nonsense") == "<abc@nonsense>"
    assert message_id("abc", "x@exa mple\r\n.org>").endswith(">")
    assert "\n" not in message_id("abc", "x@exa\r\nmple.org")


def test_chart_is_twice_its_size_and_a_function_of_its_points() -> None:
    told = message("company_crisis")
    png = chart.draw(told.chart, told.tone, told.zone)
    assert struct.unpack(">II", png[16:24]) == (2 * chart.WIDTH, 2 * chart.HEIGHT)
    assert len(png) < 60_000
    assert chart.draw(told.chart, told.tone, told.zone) == png
    calm = [replace(point, negative=0) for point in told.chart]
    assert chart.draw(calm, told.tone, told.zone) != png
    assert chart.draw(told.chart[:1], "warning", ZoneInfo("UTC"))[:4] == b"\x89PNG"


def sender_refused(code: int, words: str) -> Exception:
    return smtplib.SMTPSenderRefused(code, words.encode(), "alerts@bank.example")


def recipients_refused(*answers: tuple[int, str]) -> Exception:
    return smtplib.SMTPRecipientsRefused(
        {f"{number}@bank.example": (code, words.encode()) for number, (code, words) in enumerate(answers)}
    )


@pytest.mark.parametrize(
    ("error", "for_good"),
    [
        # a server that was set up wrongly refuses everything until a person puts it right
        (sender_refused(530, "5.7.0 Authentication required"), False),
        (sender_refused(550, "5.7.60 Client does not have permissions to send as this sender"), False),
        (sender_refused(553, "5.1.8 Sender address rejected"), False),
        (recipients_refused((554, "5.7.1 <0@bank.example>: Relay access denied")), False),
        (recipients_refused((550, "5.7.1 Unable to relay")), False),
        (recipients_refused((550, "relay not permitted")), False),
        (recipients_refused((553, "sorry, that domain isn't in my list of rcpthosts (#5.7.1)")), False),
        (recipients_refused((530, "SMTP authentication is required.")), False),
        (recipients_refused((550, "5.1.1 User unknown"), (452, "4.2.2 Mailbox full")), False),
        (recipients_refused((550, "5.2.1 The mailbox is disabled")), False),
        (smtplib.SMTPDataError(550, b"5.7.60 SMTP; Client does not have permissions to send as"), False),
        (smtplib.SMTPDataError(451, b"try later"), False),
        (smtplib.SMTPConnectError(554, b"No SMTP service here"), False),
        # this mail, or mailboxes that are not there
        (sender_refused(552, "5.3.4 Message size exceeds fixed limit"), True),
        (recipients_refused((550, "5.1.1 User unknown"), (550, "no such user here")), True),
        (recipients_refused((550, "No mailbox at 5.7.1.9 by that name")), True),
        (recipients_refused((551, "User not local"), (553, "5.1.3 Bad address syntax")), True),
        (smtplib.SMTPDataError(554, b"looks like spam"), True),
        (smtplib.SMTPDataError(552, b"5.3.4 too big"), True),
    ],
)
def test_only_a_refusal_of_this_mail_is_for_good(
    monkeypatch: pytest.MonkeyPatch, error: Exception, for_good: bool
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.notify.email._hand_in", refuse)
    sender = EmailSender(MailServer("mail.bank.example", 25, SENDER), ("risk@bank.example",))
    with pytest.raises(PermanentDeliveryError if for_good else TemporaryDeliveryError) as caught:
        sender.send(message("minimal"), Occasion())
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        assert "@" not in str(caught.value)
