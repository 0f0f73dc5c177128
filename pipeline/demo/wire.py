"""The recorded wire: three fictional weeks of financial news, and when each item is told if it is played now. Pure.

`wire/dayNN.jsonl` holds one item a line, sorted by time; days 1 to 20 are the archive, day 21 is today. `at` is the
time of day on the wire's own calendar; playing it shifts the whole calendar so that day 21 ends at the anchor.
"""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from importlib.resources import files
from xml.sax.saxutils import escape

TODAY = 21
# The wire's last minute; the item told then was published this long before the anchor.
LAST_MINUTE = timedelta(days=TODAY, hours=20)
AGE_OF_LAST = timedelta(minutes=3)


@dataclass(frozen=True)
class Outlet:
    """One feed of the wire. After `last_day` its address answers 503."""

    name: str
    title: str
    format: str  # rss or atom
    path: str
    last_day: int = TODAY

    @property
    def dead(self) -> bool:
        """True if it has gone silent before today."""
        return self.last_day < TODAY


@dataclass(frozen=True)
class Item:
    """One item as an outlet published it. `labels` is what its writer says it means; feeds do not show it."""

    id: str  # its guid, too: a correction carries the guid of what it corrects
    feed: str
    told_after: timedelta  # since midnight of day 0
    title: str
    summary: str
    author: str | None
    labels: dict[str, object] = field(hash=False)

    def published_at(self, anchor: datetime) -> datetime:
        """When it was published, if the wire is played at `anchor`."""
        return anchor - AGE_OF_LAST - (LAST_MINUTE - self.told_after)


def outlets() -> dict[str, Outlet]:
    """Every feed of the wire by its name, as wire/feeds.toml lists them."""
    text = files("pipeline.demo").joinpath("wire/feeds.toml").read_text(encoding="utf-8")
    found = [
        Outlet(raw["name"], raw["title"], raw["format"], raw["path"], raw.get("last_day", TODAY))
        for raw in tomllib.loads(text)["feeds"]
    ]
    return {outlet.name: outlet for outlet in found}


def read(days: Iterable[int] = range(1, TODAY + 1)) -> list[Item]:
    """The items of these days in the order they were told."""
    return [item for day in days for item in _read_day(day)]


def archive_lines(anchor: datetime, base_url: str) -> Iterator[str]:
    """Days 1 to 20 as JSON lines for `undertow import-articles`."""
    for item in read(range(1, TODAY)):
        line = {
            "source": item.feed,
            "guid": item.id,
            "url": address(base_url, item),
            "title": item.title,
            "text": item.summary,
            "author": item.author,
            "published_at": item.published_at(anchor).isoformat(),
        }
        yield json.dumps({name: value for name, value in line.items() if value}, ensure_ascii=False)


def address(base_url: str, item: Item) -> str:
    """Address of the item's own page."""
    return f"{base_url}/articles/{item.feed}/{item.id}"


def feeds_toml(base_url: str) -> str:
    """The text of the feeds.toml that polls the wire at `base_url`; one host, so each feed may be polled at once."""
    entries = [
        f'[[feeds]]\nname = "{outlet.name}"\nurl = "{base_url}{outlet.path}"\ntitle = "{outlet.title}"\n'
        'language = "en"\nmin_interval_s = 60\n'
        for outlet in outlets().values()
    ]
    return "# Made by `make demo`: the recorded wire, served on loopback.\n\n" + "\n".join(entries)


def feed_document(outlet: Outlet, items: Iterable[Item], anchor: datetime, base_url: str) -> str:
    """An RSS 2.0 or Atom document of one outlet's items, newest first; the same anchor gives the same bytes."""
    mine = [item for item in items if item.feed == outlet.name][::-1]
    entry, frame = (_atom_entry, _atom) if outlet.format == "atom" else (_rss_item, _rss)
    body = "\n".join(entry(item, item.published_at(anchor), address(base_url, item)) for item in mine)
    newest = mine[0].published_at(anchor) if mine else anchor
    return frame(outlet.title, body, newest, base_url + outlet.path)


def article_page(item: Item, outlet: Outlet, anchor: datetime) -> str:
    """The item's own page, plain HTML."""
    title, source = html.escape(item.title), html.escape(outlet.title)
    told = item.published_at(anchor).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<article><p>{source}, {told}</p><h1>{title}</h1><p>{html.escape(item.summary)}</p></article></html>"
    )


def _read_day(day: int) -> Iterator[Item]:
    text = files("pipeline.demo").joinpath(f"wire/day{day:02}.jsonl").read_text(encoding="utf-8")
    for line in text.splitlines():
        raw = json.loads(line)
        hours, minutes = raw["at"].split(":")
        yield Item(
            id=raw["id"],
            feed=raw["feed"],
            told_after=timedelta(days=day, hours=int(hours), minutes=int(minutes)),
            title=raw["title"],
            summary=raw["summary"],
            author=raw.get("author"),
            labels={name: raw.get(name) for name in _LABELS},
        )


_LABELS = ("companies", "sentiment", "company_sentiment", "topics", "copy_of", "correction_of")


def _rss_item(item: Item, published_at: datetime, link: str) -> str:
    author = f"<dc:creator>{escape(item.author)}</dc:creator>" if item.author else ""
    return (
        f'<item><title>{escape(item.title)}</title><link>{escape(link)}</link><guid isPermaLink="false">{item.id}'
        f"</guid><pubDate>{format_datetime(published_at)}</pubDate>{author}"
        f"<description>{escape(item.summary)}</description></item>"
    )


def _rss(title: str, body: str, newest: datetime, link: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{escape(title)}</title><link>{escape(link)}</link><description>Fictional news.</description>"
        f"<lastBuildDate>{format_datetime(newest)}</lastBuildDate>\n{body}\n</channel></rss>\n"
    )


def _atom_entry(item: Item, published_at: datetime, link: str) -> str:
    author = f"<author><name>{escape(item.author)}</name></author>" if item.author else ""
    return (
        f'<entry><title>{escape(item.title)}</title><link href="{escape(link)}"/><id>urn:undertow:{item.id}</id>'
        f"<published>{published_at.isoformat()}</published><updated>{published_at.isoformat()}</updated>{author}"
        f"<summary>{escape(item.summary)}</summary></entry>"
    )


def _atom(title: str, body: str, newest: datetime, link: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f'<title>{escape(title)}</title><id>{escape(link)}</id><link rel="self" href="{escape(link)}"/>'
        f"<updated>{newest.isoformat()}</updated>\n{body}\n</feed>\n"
    )
