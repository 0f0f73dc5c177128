"""Which item is which article: the identity ladder, aliases, content hashes and the verdict per item. Pure.

Feeds lie about identity: guids are missing, shared by two items, rewritten when a site moves, or reused every month.
The ladder (guid, link, title and date, title and content) always yields a key, so nothing is rejected for lack of
one; aliases recognise an article that comes back under another key; whatever stays in doubt becomes a new article,
because stories bring copies together again while a wrongly merged article would be lost.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from pipeline.ingest.links import canonical_link
from pipeline.ingest.titles import folded_title

POLICIES = ("guid", "link", "title_date", "title_content")
# Above this share of items with a guid that another item has too, the feed's guids are not ids.
COLLISION_LIMIT = 0.05
# An article that comes back under another name does so within days and under nearly the same title.
ALIAS_DAYS = timedelta(days=2)
ALIAS_TITLE_RATIO = 0.75
# Edits beyond this many are a page that changes by itself (a clock, a counter).
REVISION_LIMIT = 24

_GUID_PATH = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*", re.IGNORECASE)
# Parts that change without an edit. The first begins with a digit, which is quick to look for; the others are only tried
# on texts that hold their word. A run of digits is tried from its first one only: from each, the time grew with its square.
_COUNTS = re.compile(
    r"\d(?<!\d\d)\d*+\s*+(?:(?:comments?|views?|shares?|likes?|replies|reads?|retweets?)\b|(?:分钟|小时|秒)前)|(?:阅读|评论)\s*\(?\d+\)?",
    re.IGNORECASE,
)
# ... and without what an ASCII text cannot hold: a pattern that begins with a digit in every case is found faster.
_ASCII_COUNTS = re.compile(
    r"\d(?<!\d\d)\d*+\s*+(?:comments?|views?|shares?|likes?|replies|reads?|retweets?)\b", re.IGNORECASE
)
# A digit before the first letters of such a word: looked for in all texts, a third of the time of the pattern itself.
_COUNT_SIGN = re.compile(r"[0-9]\s*(?:comment|view|share|like|repl|read|retweet)")
_AGO = re.compile(r"\b(?:an?|\d+)\s*(?:seconds?|minutes?|mins?|hours?|hrs?|days?)\s+ago\b", re.IGNORECASE)
_UPDATED = re.compile(
    r"\b(?:last\s+)?updated\s*:?\s*(?:at\s+)?[\d:.,/\- ]+(?:[ap]\.?m\.?)?(?:\s*[A-Z]{2,4}\b)?", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Item:
    """What identity needs of one item of a document."""

    guid: str | None
    link: str | None
    title: str
    text: str
    published_at: datetime | None
    published_raw: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The key of an item inside its feed, other names it may come under, and the hash of what it says."""

    item_key: bytes
    content_hash: bytes
    aliases: tuple[tuple[str, bytes], ...]  # (kind, hash)


@dataclass(frozen=True, slots=True)
class Known:
    """A stored article as identity sees it."""

    article_id: int
    item_key: bytes
    title: str
    content_hash: bytes
    published_at: datetime | None
    first_seen_at: datetime
    revision: int
    hashes: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`new`, `revised`, `unchanged` or `duplicate`; the article it concerns; the key to store if new."""

    kind: str
    article_id: int | None = None
    item_key: bytes | None = None


def identities(items: Sequence[Item], policy: str = "guid") -> list[Identity]:
    """One Identity per item, in order. A guid or link that several items share does not identify any of them."""
    shared_guids = _shared(item.guid for item in items)
    shared_links = _shared(item.link for item in items)
    return [_identity(item, policy, shared_guids, shared_links) for item in items]


def degraded_policy(items: Sequence[Item], policy: str) -> str:
    """The rung to use from now on: below `guid` when too many items of the document share theirs."""
    for rung in POLICIES[POLICIES.index(policy) : -1]:
        values = [_rung_value(item, rung) for item in items]
        given = [value for value in values if value]
        if not given or len(set(given)) >= len(given) * (1 - COLLISION_LIMIT):
            return rung
    return "title_content"


def judge(
    item: Item,
    identity: Identity,
    by_key: Mapping[bytes, Known],
    by_alias: Mapping[bytes, Sequence[Known]],
    seen_at: datetime,
) -> Verdict:
    """What an item means to the stored articles. `by_alias` maps alias hashes to the articles that hold them."""
    known = by_key.get(identity.item_key)
    if known and _is_reused(item, identity, known):
        key = reused_key(item, identity)
        known = by_key.get(key)
        return _compare(identity, known) if known else Verdict("new", item_key=key)
    if known is None:
        known = _by_another_name(item, identity, by_alias, seen_at)
    return _compare(identity, known) if known else Verdict("new", item_key=identity.item_key)


def reused_key(item: Item, identity: Identity) -> bytes:
    """The key an item gets when its own key belongs to an older article that says something else."""
    return _digest(
        "reused", identity.item_key.hex(), item.published_at.isoformat() if item.published_at else ""
    )


def content_hash(title: str, text: str) -> bytes:
    """16 bytes over what the item says, without comment counts, clocks and blanks."""
    stable = f"{title}\n{text}"
    folded = stable.lower()
    if not stable.isascii():
        stable = _COUNTS.sub(" ", stable)
    elif _COUNT_SIGN.search(folded):
        stable = _ASCII_COUNTS.sub(" ", stable)
    stable = _AGO.sub(" ", stable) if " ago" in folded else stable
    stable = _UPDATED.sub(" ", stable) if "updated" in folded else stable
    stable = " ".join(stable.split())
    return hashlib.blake2b(stable.encode("utf-8", "replace"), digest_size=16).digest()


def _identity(
    item: Item, policy: str, shared_guids: frozenset[str], shared_links: frozenset[str]
) -> Identity:
    guid = item.guid if item.guid not in shared_guids else None
    link = item.link if item.link not in shared_links else None
    hashed = content_hash(item.title, item.text)
    key = _ladder(item, policy, guid, link, hashed)
    return Identity(key, hashed, tuple(_aliases(item, guid, link)))


def _ladder(item: Item, policy: str, guid: str | None, link: str | None, hashed: bytes) -> bytes:
    start = POLICIES.index(policy)
    if start == 0 and guid:
        return _digest("guid", guid)
    if start == 0 and item.guid and item.link:
        unique = link or f"{item.link}\n{item.title}\n{item.published_raw or ''}"
        return _digest("guid|link", item.guid, unique)
    if start <= 1 and link:
        return _digest("link", link)
    if start <= 2 and item.title and item.published_at:
        return _digest("title_date", item.title, item.published_at.isoformat())
    return _digest("title_content", item.title, hashed.hex(), item.published_raw or "")


def _aliases(item: Item, guid: str | None, link: str | None) -> Iterable[tuple[str, bytes]]:
    if guid:
        yield "guid", _digest("alias guid", guid)
        path = _GUID_PATH.sub("", guid)
        if path != guid and len(path) > 8:
            yield "guid_path", _digest("alias guid_path", path)
    canonical = canonical_link(link) if link else None
    if canonical:
        yield "link", _digest("alias link", canonical)
    folded = folded_title(item.title)
    if item.published_at and len(folded) >= 20:
        yield "title_day", _digest("alias title_day", folded, item.published_at.date().isoformat())


def _is_reused(item: Item, identity: Identity, known: Known) -> bool:
    """A key that comes back days later with another title and date is a new article (monthly statistics do that)."""
    if item.published_at is None or known.published_at is None or identity.content_hash == known.content_hash:
        return False
    return abs(item.published_at - known.published_at) > ALIAS_DAYS and not _alike(
        item.title, known.title, 0.95
    )


def _by_another_name(
    item: Item, identity: Identity, by_alias: Mapping[bytes, Sequence[Known]], seen_at: datetime
) -> Known | None:
    hits = [(kind, known) for kind, alias in identity.aliases for known in by_alias.get(alias, ())]
    if len({known.article_id for _, known in hits}) != 1:
        return None
    known = hits[0][1]
    if all(
        kind == "title_day" for kind, _ in hits
    ):  # a title alone is weak: only the very same text comes back
        return known if known.content_hash == identity.content_hash else None
    dated = item.published_at is not None and known.published_at is not None
    near = not dated or abs((item.published_at or seen_at) - (known.published_at or seen_at)) <= ALIAS_DAYS
    return known if near and _same_headline(item.title, known.title) else None


def _same_headline(title: str, other: str) -> bool:
    """Nearly the same words and the very same numbers: `Market update 10:00` is not `Market update 11:00`."""
    return _NUMBER.findall(title) == _NUMBER.findall(other) and _alike(title, other, ALIAS_TITLE_RATIO)


def _alike(title: str, other: str, ratio: float) -> bool:
    if title == other:
        return True
    matcher = SequenceMatcher(None, title[:200], other[:200], autojunk=False)
    return matcher.real_quick_ratio() >= ratio and matcher.quick_ratio() >= ratio and matcher.ratio() >= ratio


def _compare(identity: Identity, known: Known) -> Verdict:
    if identity.content_hash == known.content_hash or identity.content_hash in known.hashes:
        return Verdict("unchanged", known.article_id)
    if known.revision >= REVISION_LIMIT:
        return Verdict("unchanged", known.article_id)
    return Verdict("revised", known.article_id)


def _rung_value(item: Item, rung: str) -> str | None:
    if rung == "guid":
        return item.guid
    if rung == "link":
        return item.link
    return f"{item.title}\n{item.published_at}" if item.title and item.published_at else None


def _shared(values: Iterable[str | None]) -> frozenset[str]:
    return frozenset(value for value, count in Counter(v for v in values if v).items() if count > 1)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()[:16]
