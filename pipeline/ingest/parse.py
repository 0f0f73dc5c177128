"""Bytes of a feed -> its items, by feedparser with sanitising and URI resolving off. Pure; no network, no files.

Plain RSS 2.0, which is most of what is polled, is read faster and to the same result by pipeline.ingest.parse_rss.

feedparser's sanitiser is quadratic on hostile markup and half of its time on honest feeds, and what it would clean
is turned into plain text anyway (pipeline.ingest.text). Its dates are not used: they are wrong in silence for CET,
IST, JST and others. `bozo` is a warning: most feeds with a bare ampersand (AT&T, S&P) are otherwise fine.
"""

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXException

from pipeline.errors import ParseError
from pipeline.ingest.schedule import Hints
from pipeline.ingest.text import (
    AUTHOR_LIMIT,
    CONTENT_LIMIT,
    MARKUP_FACTOR,
    SUMMARY_LIMIT,
    TITLE_LIMIT,
    one_line,
)

ITEM_LIMIT = 5_000
CATEGORY_LIMIT = 32
_HEAD_BYTES = 64 * 1024
_PERIODS_S = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}

_ITEM_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)(?=[\s>/])", re.IGNORECASE)
_NOT_MARKUP = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_CDATA = re.compile(rb"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_BARE_AMPERSAND = re.compile(rb"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{1,31});)")
# A comment ends at its first `-->`: where it could run on to a later one, n comments had 2**n readings.
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_SKIP = re.compile(rb"<skip(Hours|Days)>(.*?)</skip\1>", re.IGNORECASE | re.DOTALL)
_SKIPPED = re.compile(rb"<(?:hour|day)>\s*(\w{1,12})\s*<", re.IGNORECASE)
_CHALLENGE = re.compile(
    rb"cf-challenge|challenge-platform|just a moment|captcha|enable javascript and cookies", re.IGNORECASE
)


class EmptyBody(ParseError):
    """The answer had no bytes."""


class HtmlPage(ParseError):
    """A web page came instead of a feed."""


class ChallengePage(HtmlPage):
    """The page asks whether we are human."""


class NotAFeed(ParseError):
    """Neither RSS, Atom nor JSON Feed."""


class ParserFailed(ParseError):
    """The parser raised something that it should not."""


class ParseTimeout(ParseError):
    """The parser did not end within its deadline and was killed."""


class ParserCrash(ParseError):
    """The parser's process died (memory cap, crash in native code)."""


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One item as it stands in the document, nothing cleaned but cut to what may be worked on."""

    guid: str | None = None
    link: str | None = None
    title: str = ""
    summary: str = ""
    content: str = ""
    author: str = ""
    categories: tuple[str, ...] = ()
    published_raw: str | None = None
    source: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A document: its items, what it asks of pollers, and what was odd about it. `lost`: items only the tags show."""

    title: str = ""
    language: str | None = None
    format: str = ""
    items: tuple[ParsedItem, ...] = ()
    hints: Hints = field(default_factory=Hints)
    warnings: tuple[str, ...] = ()
    lost: int = 0


def parse_feed(body: bytes, headers: Mapping[str, str]) -> ParsedFeed:
    """The items of an RSS, Atom or JSON Feed document.

    `headers`: of the answer, lower-case names. Raises a ParseError whose class names what is wrong.
    """
    if not body.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise EmptyBody("the answer is empty", "look at the address in a browser")
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        from pipeline.ingest.parse_json import parse_json_feed

        return parse_json_feed(body)
    from pipeline.ingest.parse_rss import parse_rss

    return parse_rss(body, headers) or parse_xml(body, headers)


def count_items(body: bytes) -> int:
    """How many `<item>` and `<entry>` tags the document opens, an independent count; not in comments, CDATA and instructions."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:8]:
        body = body.replace(b"\x00", b"")
    return len(_ITEM_TAG.findall(_NOT_MARKUP.sub(b"", body)))


def parse_xml(body: bytes, headers: Mapping[str, str]) -> ParsedFeed:
    """An XML document by feedparser. Raises as parse_feed."""
    # no Content-Location: feedparser would complete guids with it, and a feed that moves would have all of them changed
    headers = {name: value for name, value in headers.items() if name != "content-location"}
    document = _feedparser(body, headers)
    if isinstance(document.get("bozo_exception"), SAXException):
        document = _mended(document, body, headers)
    entries = document["entries"]
    if not entries and not document.get("version"):
        _refuse(body)
    items = tuple(_item(entry) for entry in entries[:ITEM_LIMIT])
    return ParsedFeed(
        title=_text(document["feed"], "title", TITLE_LIMIT),
        language=_text(document["feed"], "language", 35) or headers.get("content-language"),
        format=str(document.get("version") or "unknown"),
        items=items,
        hints=read_hints(document["feed"], body),
        warnings=tuple(_warnings(document, len(entries), body)),
        lost=max(0, count_items(body) - len(entries)) if len(entries) <= ITEM_LIMIT else 0,
    )


def _feedparser(body: bytes, headers: Mapping[str, str]) -> Any:
    import feedparser

    try:
        # BytesIO, never str: feedparser opens strings as addresses and as local files
        return feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except (MemoryError, RecursionError) as error:
        raise ParserFailed(f"the parser gave up: {type(error).__name__}", "report the feed") from error
    except (
        Exception
    ) as error:  # feedparser promises to raise nothing; what it raises all the same is the feed's fault
        raise ParserFailed(
            one_line(f"the parser failed: {type(error).__name__}: {error}"), "report the feed"
        ) from error


def _mended(document: Any, body: bytes, headers: Mapping[str, str]) -> Any:
    """Ill-formed XML again, without control characters and with bare ampersands escaped.

    feedparser's loose parser reads `AT&T` as `AT&T;`; most ill-formed feeds are well-formed but for that.
    """
    again = _feedparser(_mend(body), headers)
    if isinstance(again.get("bozo_exception"), SAXException) or len(again["entries"]) < len(
        document["entries"]
    ):
        return document
    again["bozo"], again["bozo_exception"] = True, document["bozo_exception"]
    return again


def _mend(body: bytes) -> bytes:
    pieces = _CDATA.split(_CONTROL.sub(b"", body))
    return b"".join(
        piece if n % 2 else _BARE_AMPERSAND.sub(b"&amp;", piece) for n, piece in enumerate(pieces)
    )


def _refuse(body: bytes) -> None:
    if _CHALLENGE.search(body[:_HEAD_BYTES]) and _HTML.search(body[:_HEAD_BYTES]):
        raise ChallengePage("the server asks whether we are human", "ask the publisher to let the fetcher in")
    if _HTML.search(body[:_HEAD_BYTES]):
        raise HtmlPage("a web page came instead of a feed", "look for the feed's new address on that page")
    raise NotAFeed("the answer is neither RSS, Atom nor JSON Feed", "look at the address in a browser")


def _warnings(document: Any, entries: int, body: bytes) -> Iterable[str]:
    if document.get("bozo"):
        yield type(document.get("bozo_exception")).__name__
    if entries > ITEM_LIMIT:
        yield f"truncated:{entries - ITEM_LIMIT}"
    if b"<!DOCTYPE" in body[:_HEAD_BYTES]:
        yield "doctype"


def _item(entry: Any) -> ParsedItem:
    contents = dict.get(entry, "content") or ()
    source = dict.get(entry, "source") or {}
    return ParsedItem(
        guid=_text(entry, "id", 2_048) or None,
        link=_link(entry),
        title=_text(entry, "title", TITLE_LIMIT * 4),
        summary=_text(entry, "summary", SUMMARY_LIMIT * MARKUP_FACTOR),
        content=_content(contents),
        author=_text(entry, "author", AUTHOR_LIMIT * 2),
        categories=tuple(_categories(dict.get(entry, "tags") or ())),
        published_raw=_date(entry),
        source=_text(source, "title", TITLE_LIMIT) if isinstance(source, dict) else "",
        language=_language(entry),
    )


def _text(mapping: Any, name: str, limit: int) -> str:
    value = dict.get(mapping, name)
    return value[:limit] if isinstance(value, str) else ""


def _link(entry: Any) -> str | None:
    link = _text(entry, "link", 4_096)
    if link == _text(entry, "id", 4_096) and "://" not in link:
        link = ""  # feedparser takes a guid for the link; this one is only an id
    return link or _first_link(entry)


def _first_link(entry: Any) -> str | None:
    links = [
        link for link in dict.get(entry, "links") or () if isinstance(link, dict) and dict.get(link, "href")
    ]
    pages = [link for link in links if dict.get(link, "rel") not in ("enclosure", "self", "edit", "replies")]
    return str(dict.get(pages[0], "href"))[:4_096] if pages else None


def _content(contents: Any) -> str:
    texts = [
        _text(part, "value", CONTENT_LIMIT * MARKUP_FACTOR) for part in contents if isinstance(part, dict)
    ]
    return max(texts, key=len, default="")


def _categories(tags: Any) -> Iterable[str]:
    for tag in tags[:CATEGORY_LIMIT]:
        term = dict.get(tag, "term") or dict.get(tag, "label")
        if isinstance(term, str) and term.strip():
            yield term[:200]


def _date(entry: Any) -> str | None:
    for name in ("published", "updated", "created", "issued"):
        value = dict.get(entry, name)
        if isinstance(value, str) and value.strip():
            return value[:200]
    return None


def _language(entry: Any) -> str | None:
    for name in ("language", "summary_detail", "title_detail"):
        value = dict.get(entry, name)
        value = dict.get(value, "language") if isinstance(value, dict) else value
        if isinstance(value, str) and value.strip():
            return value[:35]
    return None


def read_hints(feed: Any, body: bytes) -> Hints:
    """What a feed asks of pollers. `feed`: its own elements by feedparser's names."""
    skipped = {name.lower(): _SKIPPED.findall(block) for name, block in _SKIP.findall(body[:_HEAD_BYTES])}
    hours = (int(value) for value in skipped.get(b"hours", []) if value.isdigit())
    return Hints(
        ttl_s=_ttl_s(feed),
        skip_hours=frozenset(hour % 24 for hour in hours if hour <= 24),
        skip_days=frozenset(value.decode("ascii", "ignore").lower() for value in skipped.get(b"days", [])),
    )


def _ttl_s(feed: Any) -> float | None:
    ttl = _text(feed, "ttl", 12).strip()
    if ttl.isdecimal() and int(ttl) > 0:  # isdigit is true of `²`, too, of which int makes nothing
        return float(int(ttl) * 60)
    period = _PERIODS_S.get(_text(feed, "sy_updateperiod", 20).strip().lower())
    frequency = _text(feed, "sy_updatefrequency", 8).strip()
    return period / max(int(frequency) if frequency.isdecimal() else 1, 1) if period else None
