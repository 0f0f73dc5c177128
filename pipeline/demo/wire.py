"""The recorded wire: three fictional weeks of financial news, and when each item is told if it is played now. Pure.

`wire/dayNN.jsonl` holds one item a line, sorted by time; days 1 to 20 are the archive, day 21 is today. `at` is the
time of day on the wire's own calendar; playing it shifts the whole calendar so that day 21 ends at the anchor.
"""

from __future__ import annotations

import html
import json
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

ATOM = frozenset({"harbour-ledger", "ledgerline-tech"})
DEAD = "dockside-energy"  # it went silent on day 12 and answers 503 today
TITLES = {
    "meridian-wire": "Meridian Wire",
    "harbour-ledger": "The Harbour Ledger",
    "quill-markets": "Quill on Markets",
    "northgate-business": "Northgate Business Journal",
    "ledgerline-tech": "Ledgerline Technology",
    "cbn-central-bank": "Central Bank of Norland: press releases",
    "fsa-notices": "Norland Financial Services Authority: notices",
    "dockside-energy": "Dockside Energy and Shipping",
}


@dataclass(frozen=True)
class Item:
    """One item as an outlet published it. `labels` is what its writer says it means; feeds do not show it."""

    id: str
    feed: str
    told_after: timedelta  # since midnight before day 1, minus one day: day 21, 20:00 is LAST_MINUTE
    title: str
    summary: str
    author: str | None
    labels: dict[str, object] = field(hash=False)

    @property
    def key(self) -> str:
        """The item's guid; a correction carries the guid of what it corrects."""
        return self.id

    def published_at(self, anchor: datetime) -> datetime:
        """When it was published, if the wire is played at `anchor`."""
        return anchor - AGE_OF_LAST - (LAST_MINUTE - self.told_after)


def read(days: Iterable[int] = range(1, TODAY + 1)) -> list[Item]:
    """The items of these days in the order they were told."""
    return [item for day in days for item in _read_day(day)]


def archive_lines(anchor: datetime, base_url: str) -> Iterator[str]:
    """Days 1 to 20 as JSON lines for `undertow import-articles`."""
    for item in read(range(1, TODAY)):
        line = {
            "source": item.feed,
            "guid": item.key,
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


def feed_document(feed: str, items: Iterable[Item], anchor: datetime, base_url: str) -> str:
    """An RSS 2.0 or Atom document of one feed's items, the newest first; the same anchor gives the same bytes."""
    mine = [item for item in items if item.feed == feed][::-1]
    entry, frame = (_atom_entry, _atom) if feed in ATOM else (_rss_item, _rss)
    body = "\n".join(entry(item, item.published_at(anchor), address(base_url, item)) for item in mine)
    newest = mine[0].published_at(anchor) if mine else anchor
    return frame(feed, body, newest, f"{base_url}/feeds/{feed}")


def article_page(item: Item, anchor: datetime) -> str:
    """The item's own page, plain HTML."""
    title, feed = html.escape(item.title), html.escape(TITLES[item.feed])
    told = item.published_at(anchor).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<article><p>{feed}, {told}</p><h1>{title}</h1><p>{html.escape(item.summary)}</p></article></html>"
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
        f'<item><title>{escape(item.title)}</title><link>{escape(link)}</link><guid isPermaLink="false">{item.key}'
        f"</guid><pubDate>{format_datetime(published_at)}</pubDate>{author}"
        f"<description>{escape(item.summary)}</description></item>"
    )


def _rss(feed: str, body: str, newest: datetime, link: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{escape(TITLES[feed])}</title><link>{escape(link)}</link><description>Fictional news.</description>"
        f"<lastBuildDate>{format_datetime(newest)}</lastBuildDate>\n{body}\n</channel></rss>\n"
    )


def _atom_entry(item: Item, published_at: datetime, link: str) -> str:
    author = f"<author><name>{escape(item.author)}</name></author>" if item.author else ""
    return (
        f'<entry><title>{escape(item.title)}</title><link href="{escape(link)}"/><id>urn:undertow:{item.key}</id>'
        f"<published>{published_at.isoformat()}</published><updated>{published_at.isoformat()}</updated>{author}"
        f"<summary>{escape(item.summary)}</summary></entry>"
    )


def _atom(feed: str, body: str, newest: datetime, link: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f'<title>{escape(TITLES[feed])}</title><id>{escape(link)}</id><link rel="self" href="{escape(link)}"/>'
        f"<updated>{newest.isoformat()}</updated>\n{body}\n</feed>\n"
    )
