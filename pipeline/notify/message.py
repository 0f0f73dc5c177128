"""From a card to a message that every kind of receiver can send: subject, text, HTML, Slack blocks. Pure.

Whatever came from a feed is escaped where it is printed: Jinja escapes HTML, Slack gets it as rich text (which knows
no markup), plain text has one line for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

import jinja2

from pipeline.notify import phrases, slack_blocks
from pipeline.notify.card import CardPoint, ToldAlert, clean, read_card
from pipeline.notify.view import Envelope, LinkMaker, alert_view
from pipeline.types import NotificationKind


@dataclass(frozen=True, slots=True)
class Message:
    """One message, rendered for every kind of receiver.

    `key` identifies it at the receiver, the same at every try. `summary` is one plain line. `reply` are the Slack
    blocks said in the thread when `blocks` replace the first message of the episode. `loud` asks for attention.
    """

    key: str
    kind: NotificationKind
    tone: str
    subject: str
    summary: str
    text: str
    html: str
    blocks: tuple[dict[str, Any], ...]
    reply: tuple[dict[str, Any], ...] = ()
    chart: tuple[CardPoint, ...] = ()
    zone: tzinfo = UTC
    loud: bool = False
    sent_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def alert_message(
    envelope: Envelope, payload: Mapping[str, Any], alert: ToldAlert, links: LinkMaker
) -> Message:
    """The message of an event of an alert. A resolve shows the alert at its height."""
    card = read_card(payload, alert.words)
    if envelope.kind == "resolve" and alert.peak:
        peak = read_card(alert.peak, alert.words)
        card = replace(peak, chart=card.chart or peak.chart)
    view = alert_view(envelope, card, alert, links)
    return Message(
        key=envelope.key,
        kind=envelope.kind,
        tone=view.tone,
        subject=view.subject,
        summary=view.subject,
        text=render("alert.txt.j2", view=view, envelope=envelope),
        html=render("alert.html.j2", view=view, envelope=envelope),
        blocks=slack_blocks.alert_blocks(view),
        reply=slack_blocks.reply_blocks(view),
        chart=view.chart,
        zone=envelope.zone,
        loud=envelope.kind != "resolve" and card.severity == "critical",
        sent_at=envelope.sent_at,
    )


# ---- messages that belong to no alert


def note_message(envelope: Envelope, payload: Mapping[str, Any], desk_url: str) -> Message:
    """A short message: `subject`, `lines` and `advice` of the payload (operator news, the end of a silence)."""
    subject = clean(payload.get("subject"), 160) or "News from Undertow"
    said = [*(payload.get("lines") or []), payload.get("advice")]
    lines = [clean(line, 400) for line in said if line]
    context = {"subject": subject, "lines": lines, "desk_url": desk_url, "envelope": envelope}
    return Message(
        key=envelope.key,
        kind=envelope.kind,
        tone="note",
        subject=subject,
        summary=subject,
        text=render("note.txt.j2", **context),
        html=render("note.html.j2", **context),
        blocks=slack_blocks.note_blocks(subject, lines, desk_url),
        zone=envelope.zone,
        sent_at=envelope.sent_at,
    )


# ---- rendering


def render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(phrases=phrases, **context)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.notify", "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["fold"] = fold_text
    return environment


def fold_text(text: str, width: int = 76, indent: str = "") -> str:
    """`text` in lines of at most `width` characters, words whole; later lines begin with `indent`."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return f"\n{indent}".join([*lines, line])
