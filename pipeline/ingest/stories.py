"""Which articles tell the same thing. Pure: fingerprints in, verdicts out.

Three roads lead to a candidate: the same canonical link, the same folded title, or a shared MinHash band. None is
trusted alone: a guard compares numbers, companies and opposed words, because feeds are full of templates (`X shares fall 3 %`)
whose sentences are equal and whose stories are not. Measured on 100,000 synthetic articles: MinHash alone merged
98.8 % of templated stories about different companies, with the guard on numbers none, at the same recall.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any
from zlib import crc32

import numpy as np
import rensa
from numpy.typing import NDArray

from pipeline.ingest.opposites import are_opposed
from pipeline.ingest.titles import COUNTRIES, fold, folded_title

Hashes = NDArray[np.uint64]

# Copies arrive within days; a later article that reads alike is a new event told in the same words.
WINDOW = timedelta(hours=72)
# 12 bands of 3 rows find a pair of Jaccard 0.5 with probability 0.80, of 0.7 with 0.994, of 0.8 with 0.9998: as much as 16
# bands of 4 do, with a quarter fewer keys to store and to look up. Unlike texts (0.02) meet once in 10,000 pairs.
BANDS = 12
ROWS = 3
PERMUTATIONS = BANDS * ROWS
SHINGLE_WORDS = 3
TEXT_WORDS = 200
# Exact share of common shingles that makes a near copy; re-run bench/ingest_stories.py after changing.
NEAR_COPY_JACCARD = 0.5
# A copy may be cut (one outlet sends a paragraph, another the story): share of the shorter one's shingles.
CONTAINMENT = 0.6
NUMBERS_JACCARD = 0.5
# Of a title's words of at least four letters those that the text of a copy must have: a number, and a share. Of 1,600 pairs of
# real headlines over one of four notices 6 meet so (1,237 without), of 542 real near copies none is lost.
TELLING_LETTERS = 4
TOLD_WORDS = 2
TOLD_SHARE = 0.25
# A title of fewer words ("Morning briefing") names a column, not a story.
TITLE_WORDS = 5
# More candidates than this share a template; the best by common bands come first.
CANDIDATE_LIMIT = 6
# Characters of a Chinese title: those after a name that two must share to be one template, and the shortest and longest name.
CJK_ALIKE = 6
CJK_NAME = (2, 8)
# Characters of a text in which the guard looks for numbers, names and tickers.
GUARD_CHARS = 2_000
# A body of fewer words cannot say which capitals of a title are names.
BODY_WORDS = 10

# Odd 64-bit constants: they make one number of the three words of a shingle, and of the three 32-bit minima of a band.
_SPREAD = np.array((0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9), np.uint64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Blanks for all that ends a word; an apostrophe may stand inside one.
_ASCII_WORDS = bytes(
    code if code > 127 or chr(code).isalnum() or code == ord("'") else 32 for code in range(256)
)
_DIGIT = re.compile(r"\d")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-+\u2212]?)(?P<value>\d{1,3}(?:[,\u2009\u00a0 ']\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:\s|-(?!k\b))?(?P<unit>%|percent\b|per cent\b|pct\b|bps?\b|basis[ -]points?\b|bn\b|billions?\b|mln\b|mn\b|millions?\b|m\b|tn\b|trillions?\b|trn\b|k\b|thousand\b"
    r"|万亿|亿|万|crores?\b|lakhs?\b)?",
    re.IGNORECASE,
)
_SCALES = {
    "bn": 1e9, "billion": 1e9, "billions": 1e9, "mln": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6, "m": 1e6,
    "tn": 1e12, "trn": 1e12, "trillion": 1e12, "trillions": 1e12, "k": 1e3, "thousand": 1e3,
    "万": 1e4, "亿": 1e8, "万亿": 1e12, "crore": 1e7, "crores": 1e7, "lakh": 1e5, "lakhs": 1e5,
}  # fmt: skip
_TICKER = re.compile(
    r"\$(?P<cash>[A-Z]{1,5}(?:\.[A-Z])?)\b|\((?P<ric>[A-Z0-9]{1,6}\.[A-Z]{1,2})\)"
    r"|\b(?:NYSE|NASDAQ|Nasdaq|LSE|TSX|ASX|HKEX|HKG|SEHK|NSE|BSE|ETR|FRA|EPA|AMS|TYO|AMEX|OTC)\s*:\s*(?P<exchange>[A-Z0-9.]{1,6})\b"
)
# `eToro` and `inTEST` too.
_CAPITAL = re.compile(r"\b[a-z]{0,2}[A-Z\u00c0-\u00de][\w&.'\u2019-]*\w\b")
# What a company's name may end with or without.
_LEGAL_FORMS = frozenset(
    "inc incorporated corp corporation co company plc ltd limited llc lp sa ag se nv asa oyj ab spa kgaa".split()  # noqa: SIM905
)
_CLOCK_OR_YEAR = re.compile(
    r"\b(?:19|20)\d{2}\b(?!\s*(?:%|bn|mln|million|billion))|\b\d{1,2}:\d{2}(?::\d{2})?\b"
)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What of an article decides its story. `companies`: ids of the watch list named in the title, else in the text;
    `hashes` (n,): one for each three words in a row.

    What only comparing needs is worked out when it is asked for: most articles meet no candidate.
    """

    title: str
    text: str
    title_key: str
    hashes: Hashes
    companies: frozenset[int]

    @cached_property
    def shingles(self) -> frozenset[int]:
        return _shingles(self.hashes)

    @cached_property
    def words(self) -> frozenset[str]:
        found = frozenset(tokens(self.text))
        for short, letters in COUNTRIES.items():
            if short in found or letters <= found:
                found |= {short, *letters}
        return found

    @cached_property
    def numbers(self) -> frozenset[str]:
        return numbers(self.text[:GUARD_CHARS])

    @cached_property
    def title_numbers(self) -> frozenset[str]:
        return numbers(self.title)

    @cached_property
    def title_words(self) -> frozenset[str]:
        return frozenset(self.title_key.split() if self.title_key.isascii() else tokens(self.title_key))

    @cached_property
    def tickers(self) -> frozenset[str]:
        return _tickers(self.text[:GUARD_CHARS])

    @cached_property
    def name_runs(self) -> tuple[tuple[str, ...], ...]:
        return _name_runs(self.title, self.text[len(self.title) : GUARD_CHARS])

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(word for run in self.name_runs for word in run)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored story that might be it, as found by `url`, `title` or `near_copy`; `available_at` is its first."""

    story_id: int
    road: str
    fingerprint: Fingerprint
    available_at: datetime


def fingerprint(
    title: str, text: str, companies: Iterable[int] = (), outlets: tuple[str, ...] = ()
) -> Fingerprint:
    """Fingerprint of an article; `text` is what is scored: title, newline, summary."""
    (hashes,) = shingle_hashes([text])
    return Fingerprint(title, text, folded_title(title, outlets), hashes, frozenset(companies))


def tokens(text: str) -> list[str]:
    """Folded words of the first 200; in Chinese, Japanese and Korean each character counts as a word."""
    return [word.decode() for word in _words(text)]


def shingles(text: str) -> frozenset[int]:
    """Word 3-shingles of the first 200 words, each as a 64-bit number that is the same in every process."""
    return _shingles(shingle_hashes([text])[0])


def shingle_hashes(texts: Sequence[str]) -> list[Hashes]:
    """For each text one hash (uint64) per shingle, in their order. A batch costs less than one by one."""
    words: list[int] = []
    ends: list[int] = []
    for text in texts:
        own = _words(text)
        words += map(crc32, own)
        if own:
            words += [0] * (SHINGLE_WORDS - len(own))
        ends.append(len(words))
    hashes = _mixed(np.array(words, np.uint64))
    rows: list[Hashes] = []
    start = 0
    for end in ends:
        rows.append(hashes[start : max(start, end - SHINGLE_WORDS + 1)])
        start = end
    return rows


def band_keys(rows: Sequence[Hashes]) -> list[list[int]]:
    """Band keys (signed 64-bit) of each text's shingles, [] where it has none; an equal key makes two articles candidates."""
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.uint64)
    flat = np.concatenate(rows) if rows else np.zeros(0, np.uint64)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, PERMUTATIONS, 42).to_rows()
    minima = np.array(digests, np.uint64).reshape(len(rows), BANDS, ROWS)
    keys: list[list[int]] = (minima * _SPREAD).sum(axis=2).view(np.int64).tolist()
    return [own if len(row) else [] for own, row in zip(keys, rows, strict=True)]


def numbers(text: str) -> frozenset[str]:
    """Numbers of a text in one spelling (`1.2bn`, `1,200 mln` and `1200 million` are the same); no years, no clocks."""
    if not _DIGIT.search(text):
        return frozenset()
    if ":" in text or "19" in text or "20" in text:
        text = _CLOCK_OR_YEAR.sub(" ", text)
    return frozenset(_normal(match) for match in _NUMBER.finditer(text))


def choose(article: Fingerprint, available_at: datetime, candidates: Sequence[Candidate]) -> Candidate | None:
    """The story the article belongs to, or None: it begins one. Links first, then titles, then near copies."""
    order = {"url": 0, "title": 1, "near_copy": 2}
    for candidate in sorted(candidates, key=lambda c: (order[c.road], c.available_at, c.story_id)):
        near = abs(available_at - candidate.available_at) <= WINDOW
        if near and same_story(article, candidate.fingerprint, candidate.road):
            return candidate
    return None


def same_story(one: Fingerprint, other: Fingerprint, road: str) -> bool:
    """Whether two articles that met on `road` tell the same thing."""
    if not guard(one, other):
        return False
    if road == "url":
        return True
    jaccard, containment = overlap(one.shingles, other.shingles)
    if jaccard >= NEAR_COPY_JACCARD and (_tells(one, other) or _tells(other, one)):
        return True
    telling = one.title_key == other.title_key and is_telling(one.title_key)
    return telling and (containment >= CONTAINMENT or _title_only(one) or _title_only(other))


def is_telling(title_key: str) -> bool:
    """Whether a folded title can name one story: `morning briefing` names a column."""
    return len(_words(title_key)) >= TITLE_WORDS


def guard(one: Fingerprint, other: Fingerprint) -> bool:
    """False where two texts differ in whom or how much, however alike their words are."""
    if one.companies and other.companies and not one.companies & other.companies:
        return False
    if one.names - other.words and other.names - one.words:  # first: it settles most templates
        return False
    if not one.companies & other.companies and (_goes_on(one, other) or _goes_on(other, one)):
        return False
    if not (one.title_numbers <= other.title_numbers or other.title_numbers <= one.title_numbers):
        return False
    if one.tickers and other.tickers and not (one.tickers <= other.tickers or other.tickers <= one.tickers):
        return False
    if one.title_key != other.title_key and (
        are_opposed(one.title_words, other.title_words) or _about_others(one, other)
    ):
        return False
    return _numbers_agree(one.numbers, other.numbers)


def overlap(one: frozenset[Any], other: frozenset[Any]) -> tuple[float, float]:
    """(Jaccard, share of the smaller set that the other holds), both in [0, 1]."""
    if not one or not other:
        return 0.0, 0.0
    common = len(one & other)
    return common / (len(one) + len(other) - common), common / min(len(one), len(other))


def _words(text: str) -> list[bytes]:
    """The folded words in UTF-8."""
    folded = fold(text[: TEXT_WORDS * 12])
    if folded.isascii():
        words = folded.encode().translate(_ASCII_WORDS).split()
        if "'" in folded:
            words = [part for word in words for part in (_quoted(word) if b"'" in word else (word,))]
        return words[:TEXT_WORDS]
    if _CJK.search(folded):
        folded = _CJK.sub(r" \g<0> ", folded)
    return [word.encode("utf-8", "replace") for word in _WORD.findall(folded)[:TEXT_WORDS]]


def _quoted(word: bytes) -> list[bytes]:
    return [part.encode() for part in _WORD.findall(word.decode())]


def _shingles(hashes: Hashes) -> frozenset[int]:
    return frozenset(hashes.tolist())


def _mixed(words: Hashes) -> Hashes:
    """One number for each three words in a row: uint64 (n,) -> (n - 2,)."""
    if len(words) < SHINGLE_WORDS:
        return np.zeros(0, np.uint64)
    sums: Hashes = words[:-2] * _SPREAD[0] + words[1:-1] * _SPREAD[1] + words[2:] * _SPREAD[2]
    sums ^= sums >> np.uint64(32)
    sums *= _MIX
    sums ^= sums >> np.uint64(29)
    return sums


def _title_only(article: Fingerprint) -> bool:
    return len(article.words) < len(article.title_key.split()) + BODY_WORDS


def _tells(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether the title of `one` is borne out by the text of `other`: under two titles about nothing in common, what is alike
    is a notice that a feed puts under every article (`Subscribe to read on`)."""
    if one.title_key == other.title_key:
        return True
    if not one.title_key.isascii() and _CJK.search(one.title_key):
        words = {"".join(pair) for pair in pairwise(one.title_key)}
        found = sum(word in other.text for word in words)
    else:
        words = {word for word in one.title_words if len(word) >= TELLING_LETTERS}
        found = len(words & other.words)
    return found >= min(TOLD_WORDS, len(words)) and found >= TOLD_SHARE * len(words)


def _numbers_agree(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other:
        return True
    jaccard, containment = overlap(one, other)
    # a copy may be cut: then nearly all its numbers, and at least two, are in the longer text
    return jaccard >= NUMBERS_JACCARD or (containment >= 0.8 and min(len(one), len(other)) >= 2)


def _name_runs(title: str, body: str) -> tuple[tuple[str, ...], ...]:
    """Folded words of the title's names, those that follow each other together: capitals that its body has, too; without a
    body, all capitals."""
    trusted = len(body.split(maxsplit=BODY_WORDS)) < BODY_WORDS
    runs: list[list[str]] = []
    end = -2
    for match in _CAPITAL.finditer(title):
        if trusted or match[0] in body:
            parts = _WORD.findall(fold(match[0]))
            if match.start() == end + 1 and title[end] == " ":
                runs[-1] += parts
            else:
                runs.append(parts)
            end = match.end()
    return tuple(map(tuple, runs))


def _goes_on(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether a name of `other` goes on in `one`: `Acme Energy` is somebody else than `Acme`, `Acme Corp` is not."""
    return any(
        first in other.names and second not in other.words and second not in _LEGAL_FORMS
        for run in one.name_runs
        for first, second in pairwise(run)
    )


def _about_others(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two titles without capitals, in Chinese, go on alike after names of which each text has its own only."""
    first, second = one.title_key, other.title_key
    if first.isascii() or not (_CJK.match(first) and _CJK.match(second)):
        return False
    alike = len(
        list(takewhile(lambda pair: pair[0] == pair[1], zip(first[::-1], second[::-1], strict=False)))
    )
    names = first[: len(first) - alike], second[: len(second) - alike]
    if alike < CJK_ALIKE or not all(CJK_NAME[0] <= len(name) <= CJK_NAME[1] for name in names):
        return False
    return not set(names[0]) & set(names[1]) and names[0] not in other.text and names[1] not in one.text


def _tickers(text: str) -> frozenset[str]:
    if "$" not in text and "(" not in text and ":" not in text:
        return frozenset()
    found = (m["cash"] or m["exchange"] or m["ric"].split(".")[0] for m in _TICKER.finditer(text))
    return frozenset(found)


def _normal(match: re.Match[str]) -> str:
    value, unit = match["value"], (match["unit"] or "").lower()
    grouped = re.fullmatch(r"\d{1,3}(?:[,\u2009\u00a0 ']\d{3})+(?:\.\d+)?", value)
    plain = re.sub(r"[^\d.]", "", value) if grouped else value.replace(",", ".")
    if unit in _SCALES:
        return f"{float(plain) * _SCALES[unit]:g}"
    kind = "%" if unit in ("%", "percent", "per cent", "pct") else "bp" if unit else ""
    return f"{float(plain):g}{kind}"
