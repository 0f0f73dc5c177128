"""A batch of articles -> stories, mentions and novelties. Pure: candidates come in, a plan goes out.

`GroupingMemory` lives as long as a run: the watch list's automaton, fingerprints of candidates, and the shingles
that each company was mentioned with lately.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from pipeline.ingest.articles import story_text
from pipeline.ingest.mentions import Mention, WatchList
from pipeline.ingest.novelty import HORIZONS, SeenShingles
from pipeline.ingest.stories import (
    BANDS,
    CANDIDATE_LIMIT,
    Candidate,
    Fingerprint,
    Hashes,
    band_keys,
    choose,
    fingerprint,
    is_telling,
    shingle_hashes,
)
from pipeline.ingest.titles import folded_title

# Fingerprints kept for candidates that come up again; about 10 kB each.
FINGERPRINTS = 4_000
_NO_KEYS = (None,) * BANDS
Key = TypeVar("Key")


class Waiting(NamedTuple):
    """A stored article that has no story yet."""

    id: int
    source: str
    url_key: bytes | None
    title: str
    summary: str
    body: str | None
    language: str | None
    first_seen_at: datetime
    available_at: datetime
    backfilled: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """An article as grouping sees it: its story text, mentions, fingerprint and the keys under which copies meet.

    `keys`: one signed 64-bit number per MinHash band, and that of the folded title; None where there is none.
    """

    text: str
    text_hash: bytes
    mentions: tuple[Mention, ...]
    fingerprint: Fingerprint
    keys: tuple[int | None, ...]
    url_key: bytes | None
    available_at: datetime


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an article goes: to the stored story `story_id`, or to the one that article `begun_by` of the batch begins.

    The other one of the two is None; an article that begins a story itself has its own index there.
    """

    story_id: int | None
    begun_by: int | None
    road: str  # first | url | title | near_copy


@dataclass(slots=True)
class GroupingMemory:
    """What a run keeps between batches."""

    watch: WatchList
    has_keys: bool = False  # whether it was seen that stored stories have theirs
    fingerprints: dict[int, Fingerprint] = field(default_factory=dict)
    seen: dict[int, SeenShingles] = field(default_factory=dict)


def read(memory: GroupingMemory, articles: Sequence[Waiting]) -> list[Reading]:
    """Everything about each article that needs no other one. Together they cost less than one by one."""
    texts = [story_text(article.title, article.summary, article.body) for article in articles]
    rows = shingle_hashes(texts)
    return [
        _read(memory, article, text, hashes, keys)
        for article, text, hashes, keys in zip(articles, texts, rows, band_keys(rows), strict=True)
    ]


def _read(
    memory: GroupingMemory, article: Waiting, text: str, hashes: Hashes, keys: Sequence[int]
) -> Reading:
    mentions = tuple(memory.watch.find(text, len(article.title)))
    title_key = folded_title(article.title, (article.source,))
    print_ = Fingerprint(article.title, text, title_key, hashes, frozenset(_main_companies(mentions)))
    of_title = _signed_hash(title_key) if is_telling(title_key) else None
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
    own = (*(keys or _NO_KEYS), of_title)
    return Reading(text, digest, mentions, print_, own, article.url_key, article.available_at)


def candidate(
    memory: GroupingMemory, story_id: int, road: str, title: str, text: str, available_at: datetime
) -> Candidate:
    """A stored story as `choose` compares it; its fingerprint is made anew from its text, once a run."""
    known = memory.fingerprints.get(story_id)
    if known is None:
        known = fingerprint(title, text, _main_companies(memory.watch.find(text, len(title))))
        if len(memory.fingerprints) >= FINGERPRINTS:
            memory.fingerprints.clear()
        memory.fingerprints[story_id] = known
    return Candidate(story_id, road, known, available_at)


def place(readings: Sequence[Reading], stored: Sequence[Sequence[Candidate]]) -> list[Placement]:
    """Where each article of the batch goes; copies inside the batch meet the stories that begin in it."""
    begun = _Begun(readings)
    placements: list[Placement] = []
    for n, reading in enumerate(readings):
        chosen = choose(reading.fingerprint, reading.available_at, [*stored[n], *begun.candidates(reading)])
        if chosen is None:
            begun.add(n)
            placements.append(Placement(None, n, "first"))
        elif chosen.story_id < 0:
            placements.append(Placement(None, -chosen.story_id - 1, chosen.road))
        else:
            placements.append(Placement(chosen.story_id, None, chosen.road))
    return placements


def novelties(memory: GroupingMemory, reading: Reading) -> list[tuple[int, tuple[float, ...]]]:
    """(company_id, share of new shingles per horizon) of a story that begins; the memory takes it in."""
    found: list[tuple[int, tuple[float, ...]]] = []
    for mention in reading.mentions:
        seen = memory.seen.setdefault(mention.company_id, SeenShingles())
        shingles = reading.fingerprint.shingles
        found.append((mention.company_id, seen.novelty(shingles, reading.available_at)))
        seen.add(shingles, reading.available_at)
    return found


def forget(memory: GroupingMemory, before: datetime) -> None:
    """Drop shingles that no horizon of an article from `before` on reaches."""
    for seen in memory.seen.values():
        seen.forget(before - max(HORIZONS) - timedelta(hours=1))


class _Begun:
    """Stories that begin in this batch, under the keys of their first article. Their id is -(index + 1)."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings
        self._titles: _Index[int | None] = _Index()
        self._bands: _Index[int | None] = _Index()
        self._urls: _Index[bytes] = _Index()

    def add(self, n: int) -> None:
        reading = self._readings[n]
        self._bands.add(_near_keys(reading), n)
        self._titles.add(_title_keys(reading), n)
        if reading.url_key:
            self._urls.add((reading.url_key,), n)

    def candidates(self, reading: Reading) -> list[Candidate]:
        """The most promising of the batch: by link, then by title, then by common bands."""
        common: dict[int, int] = {}
        self._bands.count(_near_keys(reading), 1, common)
        self._titles.count(_title_keys(reading), _TITLE_WEIGHT, common)
        if reading.url_key:
            self._urls.count((reading.url_key,), _URL_WEIGHT, common)
        if not common:
            return []
        best = sorted(common.items(), key=lambda found: -found[1])[:CANDIDATE_LIMIT]
        return [
            Candidate(-n - 1, _road(weight), self._readings[n].fingerprint, self._readings[n].available_at)
            for n, weight in best
        ]


class _Index(Generic[Key]):
    """Which articles hold a key, of many the first and the last ones. Nearly every key has one: the others are kept apart."""

    def __init__(self) -> None:
        self._first: dict[Key, int] = {}
        self._later: dict[Key, list[int]] = {}

    def add(self, keys: Iterable[Key], n: int) -> None:
        put, later = self._first.setdefault, self._later
        for key in keys:
            if put(key, n) != n:
                later.setdefault(key, []).append(n)

    def count(self, keys: Iterable[Key], weight: int, common: dict[int, int]) -> None:
        """Add `weight` to each article for each of the keys that it holds."""
        first = self._first
        for key in [key for key in keys if key in first]:
            for n in (first[key], *self._later.get(key, ())[-CANDIDATE_LIMIT:]):
                common[n] = common.get(n, 0) + weight


def _near_keys(reading: Reading) -> tuple[int | None, ...]:
    """The MinHash keys of an article; those of two bands are never equal but by chance, and what they find is verified."""
    return () if reading.keys[0] is None else reading.keys[:BANDS]


def _title_keys(reading: Reading) -> tuple[int | None, ...]:
    return () if reading.keys[BANDS] is None else reading.keys[BANDS:]


# A shared title outweighs all bands, a shared link the title too.
_TITLE_WEIGHT = 100
_URL_WEIGHT = 1_000


def _road(weight: int) -> str:
    if weight >= _URL_WEIGHT:
        return "url"
    return "title" if weight >= _TITLE_WEIGHT else "near_copy"


def _main_companies(mentions: Sequence[Mention]) -> list[int]:
    in_title = [mention.company_id for mention in mentions if mention.in_title]
    return in_title or [mention.company_id for mention in mentions]


def _signed_hash(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True
    )
