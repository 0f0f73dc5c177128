"""The mail as it goes out."""

from __future__ import annotations

import email
import struct
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from notify_examples import message

from pipeline.notify import chart
from pipeline.notify.email import build_mail, message_id

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
