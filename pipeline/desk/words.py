"""How the desk writes numbers, times and words; the filters of its templates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from pipeline.notify.card import clean, web_address

MINUS = "\u2212"
NOTHING = "\u2013"
SENTIMENT_SIGNS = {"negative": "\u25bc", "neutral": "\u25c6", "positive": "\u25b2"}


def number(value: float | None, digits: int = 0) -> str:
    """With thin groups of three and a real minus."""
    if value is None:
        return NOTHING
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", MINUS)


def index(value: float | None) -> str:
    """A signed index with two digits."""
    if value is None:
        return NOTHING
    return f"{round(value, 2) or 0.0:+.2f}".replace("-", MINUS)  # no minus before zero


def percent(value: float | None, digits: int = 0) -> str:
    """A share as percent."""
    return NOTHING if value is None else f"{number(100 * value, digits)}\u202f%"


def moment(value: datetime | None, *, seconds: bool = False) -> Markup | str:
    """A time element in UTC; the page's script shows how long ago it was as its title."""
    if value is None:
        return NOTHING
    shown = value.strftime("%d %b %Y %H:%M:%S" if seconds else "%d %b %H:%M")
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        value.isoformat(), value.strftime("%A %d %B %Y %H:%M:%S"), shown
    )


def ago(value: datetime | None, as_of: datetime) -> str:
    """How long before `as_of`, or how long after it."""
    if value is None:
        return "never"
    left = (as_of - value).total_seconds()
    return (
        f"{duration(timedelta(seconds=left))} ago"
        if left >= 0
        else f"in {duration(timedelta(seconds=-left))}"
    )


def who_has_it(state: str, taken_by: str | None, you: str) -> str:
    """Who looks into an alert, for `you` who just wanted to take it."""
    name = "you" if taken_by == you else taken_by
    if state == "resolved":
        end = f"{name} had taken it" if name else "nobody needs to take it"
        return f"This alert is over; {end}."
    if name is None:
        return "Nobody has taken this alert yet."
    return "You have taken this alert." if name == "you" else f"{name} has taken this alert already."


def duration(value: timedelta | None) -> str:
    """The two largest units."""
    if value is None:
        return NOTHING
    seconds = int(value.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 and days < 7 else f"{days} d"


def probability(value: float | None) -> str:
    """A tail probability as one in so many, or with two digits."""
    if value is None:
        return NOTHING
    if value >= 0.01:
        return f"{value:.2f}"
    if value <= 1e-12:  # the digits of such a number say nothing
        return "less than 1 in a trillion"
    return f"1 in {number(round(1 / value, -len(str(int(1 / value))) + 2))}"


def topic_title(name: str) -> str:
    """What people read for a topic."""
    from model.labels import TOPIC_TITLES

    return TOPIC_TITLES.get(name, name.replace("_", " "))


def marked(text: str, companies: Sequence[dict[str, Any]], start: int = 0, end: int | None = None) -> Markup:
    """text[start:end] with the mentions of companies marked by the verdict for each; spans are [start, end) of `text`."""
    end = len(text) if end is None else min(end, len(text))
    spans = [(a, b, c) for c in companies for a, b in _spans(c.get("spans"), end)]
    spans.sort(key=lambda span: span[:2])
    parts: list[Markup] = []
    place = start
    for a, b, company in spans:
        if a < place:
            continue
        parts += [
            Markup.escape(text[place:a]),
            Markup('<mark class="{}" title="{}">{}</mark>').format(
                company.get("sentiment") or "neutral", company.get("name") or "", text[a:b]
            ),
        ]
        place = b
    return Markup("").join([*parts, Markup.escape(text[place:end])])


def _spans(value: Any, length: int) -> list[tuple[int, int]]:
    good = [pair for pair in value or [] if isinstance(pair, list) and len(pair) == 2]
    return [(int(a), int(b)) for a, b in good if 0 <= int(a) < int(b) <= length]


FILTERS = {
    "number": number,
    "index": index,
    "percent": percent,
    "moment": moment,
    "ago": ago,
    "duration": duration,
    "probability": probability,
    "topic_title": topic_title,
    "marked": marked,
    "web_address": web_address,
    "clean": clean,
    "sign": lambda name: SENTIMENT_SIGNS.get(name or "", ""),
}
