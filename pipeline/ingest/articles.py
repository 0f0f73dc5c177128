"""Items of a parsed document -> drafts of articles: clean text, real dates, safe links, identity. Pure.

The conservation law starts here: every item of the document becomes a draft, a duplicate of an earlier item, or a
reject with its reason. Nothing else can happen to it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from pipeline.ingest.dates import ParsedDate, parse_date
from pipeline.ingest.identity import Identity, Item, degraded_policy, identities, reused_key
from pipeline.ingest.language import base_code, detect_language, is_plain_english
from pipeline.ingest.links import safe_link, url_key
from pipeline.ingest.parse import ParsedFeed, ParsedItem
from pipeline.ingest.schedule import Hints, usual_gap
from pipeline.ingest.text import AUTHOR_LIMIT, CONTENT_LIMIT, SUMMARY_LIMIT, clean, plain, title

# Story text: what the classifier reads. Its window ends after about 2,000 characters; the rest is slack.
STORY_TEXT_LIMIT = 4_000
# A summary of fewer characters says less than the start of the body.
SUMMARY_MIN = 40
BODY_START = 2_000
# Published longer ago than this when it arrives: history (a first poll, an archive), not news.
LATE = timedelta(hours=6)
DAY = timedelta(days=1)
# From this share of its dated items on, and from two on, those of a document at midnight sharp are days without an hour:
# news is published there once in 86,400 seconds by chance, and one item alone may well be (an embargo that ends).
DAYS_SHARE = 0.9
# Articles of a document that say in which language most of it is.
USUAL_OF = 40
# Publishers' clocks differ from ours by this much without meaning the future.
CLOCK_SLACK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What of a feed's configuration decides how its items are read."""

    title: str = ""
    language: str | None = None
    default_tz: str | None = None
    may_store_body: bool = True
    identity_policy: str = "guid"


@dataclass(slots=True)
class Draft:
    """An article to be; hashes are 16 bytes, times aware UTC, texts plain and safe to store."""

    item_key: bytes
    reused_key: bytes
    content_hash: bytes
    aliases: tuple[tuple[str, bytes], ...]
    guid: str | None
    url: str | None
    url_key: bytes | None
    source: str
    title: str
    summary: str
    body: str | None
    author: str | None
    categories: tuple[str, ...]
    language: str | None
    language_p: float | None
    published_raw: str | None
    published_at: datetime | None
    tz_source: str
    date_status: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that cannot become an article, and why; or `items` of them that share the reason and have nothing to show."""

    reason: str
    detail: str = ""
    excerpt: str = ""
    items: int = 1


@dataclass(slots=True)
class Prepared:
    """All that a document yields. seen = len(drafts) + duplicates + rejected."""

    drafts: list[Draft] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)
    duplicates: int = 0
    hints: Hints = field(default_factory=Hints)
    warnings: tuple[str, ...] = ()
    identity_policy: str = "guid"
    median_gap_s: float | None = None
    usual_body_chars: float | None = None
    title: str = ""

    @property
    def rejected(self) -> int:
        return count_rejected(self.rejects)

    @property
    def seen(self) -> int:
        return len(self.drafts) + self.duplicates + self.rejected


def count_rejected(rejects: Iterable[Rejected]) -> int:
    """The items that rejects stand for."""
    return sum(reject.items for reject in rejects)


def prepare(feed: ParsedFeed, options: FeedOptions, base_url: str, now: datetime) -> Prepared:
    """Drafts of a document's items, in its order. `base_url` completes relative links, `now` bounds dates."""
    outlet = title(options.title or feed.title).text
    cleaned = [_clean(item, outlet, base_url) for item in feed.items]
    dates = _days([parse_date(item.published_raw, options.default_tz, now) for item in feed.items])
    items = [
        Item(
            _guid(raw),
            draft.url,
            draft.title,
            f"{draft.summary}\n{draft.body or ''}",
            date.at,
            raw.published_raw,
        )
        for raw, draft, date in zip(feed.items, cleaned, dates, strict=True)
    ]
    policy = degraded_policy(items, options.identity_policy)
    prepared = Prepared(hints=feed.hints, warnings=feed.warnings, identity_policy=policy, title=outlet)
    keys: set[bytes] = set()
    for raw, draft, date, item, identity in zip(
        feed.items, cleaned, dates, items, identities(items, policy), strict=True
    ):
        if not (draft.title or draft.summary or draft.body or draft.url):
            prepared.rejects.append(Rejected("empty", "no title, text or link", clean(f"{raw}", 500).text))
        elif identity.item_key in keys:
            prepared.duplicates += 1
        else:
            keys.add(identity.item_key)
            prepared.drafts.append(_finish(draft, date, item, identity))
    declared = {id(draft): base_code(raw.language) for raw, draft in zip(feed.items, cleaned, strict=True)}
    _read_languages(prepared.drafts, declared, base_code(feed.language), options)
    if feed.lost:  # one reject for all: a document can show a million tags of which nothing is to be said
        said = f"{feed.lost} more are in the document, their content could not be read"
        prepared.rejects.append(Rejected("lost_by_parser", said, items=feed.lost))
    _measure(prepared)
    return prepared


def event_time(published_at: datetime | None, first_seen_at: datetime, date_status: str = "ok") -> datetime:
    """When it happened, as far as may be believed: published, unless that is unknown or after we saw it.

    Of a day without an hour nothing is believed before it is history: then its first instant is near enough.
    """
    if published_at is None or published_at > first_seen_at + CLOCK_SLACK:
        return first_seen_at
    if date_status != "ok" and not is_late(published_at, first_seen_at, date_status):
        return first_seen_at
    return published_at


def is_late(published_at: datetime | None, first_seen_at: datetime, date_status: str = "ok") -> bool:
    """Whether it is history: published more than 6 h before it arrived; a day without an hour, over for as long."""
    if published_at is None:
        return False
    return first_seen_at - published_at > (LATE + DAY if date_status == "date_only" else LATE)


def story_text(title_: str, summary: str, body: str | None) -> str:
    """Title, newline, summary (or the start of the body where the summary says too little), at most 4,000 characters."""
    lead = summary if len(summary) >= SUMMARY_MIN or not body else (body[:BODY_START])
    return f"{title_}\n{lead}"[:STORY_TEXT_LIMIT].rstrip() if lead else title_[:STORY_TEXT_LIMIT]


def _days(dates: Sequence[ParsedDate]) -> Sequence[ParsedDate]:
    """The dates of a document; where (nearly) all are at midnight, those are days. Identity needs them, so they stay set."""
    dated, midnights = sum(date.at is not None for date in dates), sum(date.is_midnight for date in dates)
    if midnights < 2 or midnights < DAYS_SHARE * dated:
        return dates
    return [replace(date, status="date_only") if date.at and date.is_midnight else date for date in dates]


def _clean(item: ParsedItem, outlet: str, base_url: str) -> Draft:
    heading, summary = title(item.title), plain(item.summary, SUMMARY_LIMIT)
    body = plain(item.content, CONTENT_LIMIT) if item.content and item.content != item.summary else None
    flags = heading.flags | summary.flags | (body.flags if body else frozenset())
    link = safe_link(item.link, base_url) or (safe_link(item.guid) if item.guid else None)
    return Draft(
        item_key=b"", reused_key=b"", content_hash=b"", aliases=(), guid=_guid(item), url=link, url_key=url_key(link),
        source=_short(item.source, AUTHOR_LIMIT) or outlet, title=heading.text, summary=summary.text,
        body=body.text if body and body.text != summary.text else None,
        author=_short(item.author, AUTHOR_LIMIT) or None,
        categories=tuple(dict.fromkeys(filter(None, (_short(tag, 100) for tag in item.categories)))),
        language=None, language_p=None, published_raw=clean(item.published_raw, 200).text if item.published_raw else None,
        published_at=None, tz_source="none", date_status="missing", flags=tuple(sorted(flags)),
    )  # fmt: skip


@lru_cache(maxsize=512)
def _short(value: str, limit: int) -> str:
    """One plain line; a document says the same authors and categories again and again."""
    return title(value, limit).text


def _guid(item: ParsedItem) -> str | None:
    return (clean(item.guid, 2_048).text or None) if item.guid else None


def _finish(draft: Draft, date: ParsedDate, item: Item, identity: Identity) -> Draft:
    draft.item_key, draft.content_hash, draft.aliases = (
        identity.item_key,
        identity.content_hash,
        identity.aliases,
    )
    draft.reused_key = reused_key(item, identity)
    draft.published_at, draft.date_status, draft.tz_source = date.at, date.status, date.tz_source
    _name(draft)
    return draft


def _name(draft: Draft) -> None:
    """A title for an item without one: its first words, else its address."""
    if not draft.title:
        text = (draft.summary or draft.body or draft.url or "").replace("\n", " ")
        draft.title = text if len(text) <= 100 else text[:99].rstrip() + "…"
        draft.flags = (*draft.flags, "no_title")


def _read_languages(
    drafts: list[Draft], declared: Mapping[int, str | None], of_feed: str | None, options: FeedOptions
) -> None:
    """Each article's language: configured, plain to see, declared, or that of most other articles of the document."""
    texts = [story_text(draft.title, draft.summary, draft.body) for draft in drafts]
    usual = options.language or of_feed or ("en" if _mostly_english(texts[:USUAL_OF]) else None)
    for draft, text in zip(drafts, texts, strict=True):
        if options.language:
            draft.language, draft.language_p = options.language, 1.0
        else:
            draft.language, draft.language_p = detect_language(text, declared[id(draft)] or usual)
        if not options.may_store_body:
            draft.summary, draft.body = "", None


def _mostly_english(texts: list[str]) -> bool:
    return sum(map(is_plain_english, texts)) * 2 > len(texts)


def _measure(prepared: Prepared) -> None:
    gap = usual_gap([draft.published_at for draft in prepared.drafts if draft.published_at])
    prepared.median_gap_s = gap.total_seconds() if gap else None
    lengths = sorted(len(draft.summary) + len(draft.body or "") for draft in prepared.drafts)
    prepared.usual_body_chars = float(lengths[len(lengths) // 2]) if lengths else None
    shared = Counter(draft.url_key for draft in prepared.drafts if draft.url_key)
    for draft in prepared.drafts:
        if draft.url_key and shared[draft.url_key] > 1:  # a page that lists many items names none of them
            draft.url_key = None
