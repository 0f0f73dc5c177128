"""Companies of the watch list in a text: one pass of Aho-Corasick, then rules about words, case and context. Pure.

A name that is also a common word (Ford, Target, Gap, Visa) counts only where something says that the company is
meant: a stronger name of it in the same text (`Target Corp`, `NYSE: TGT`), a neighbour that companies have and
words do not (`Target's shares`, `Gap reports`), or a place beside a company that is sure (`Visa and Gap sue`). Phrases in `negative_contexts` (`price target`) win over any match;
one that holds no name of its company (`H-1B`) says of what is spoken, and a common word near it is no company.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, Implementation

# Relevance = title + place + frequency; bench/README.md names no figure for it, it only ranks companies of one text.
TITLE_WEIGHT = 0.5
PLACE_WEIGHT = 0.3
SHARE_WEIGHT = 0.2
SPAN_LIMIT = 50
# Characters between a common word and a phrase that says of what is spoken: about what a headline has.
SETTING_REACH = 40

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_SUFFIX = re.compile(
    r"(?:,?\s+(?:(?:&|and)\s+(?:co|company|companies|sons)|inc|incorporated|corp|corporation|co|company|companies|plc|ltd|limited|llc|lp|l\.p|s\.?a|ag|se|n\.?v|a/s|asa|oyj|ab|spa|s\.p\.a|kgaa|"
    r"group|holdings?|\(the\)|\(class [a-c]\)|class [a-c])\.?)+$",
    re.IGNORECASE,
)  # fmt: skip
_PLAIN = {"’": "'", "\u2010": "-", "\u2011": "-", "–": "-"}
_SPECIAL = re.compile("[\u00c0-\u024f\u1e00-\u1eff\u2010\u2011\u2013\u2019]")
_INITIALS = re.compile(r"\b(?:[A-Z]\. ?){2,}(?=\w)")
_HYPHEN = re.compile("[-\u2010\u2011\u2013]")
_DECIMAL = re.compile(r"\d[.,]")
_LETTER = re.compile(r"[A-Z]")
# What stands beside a company and not beside a word.
_AFTER = re.compile(
    r"^(?:['’]s\b|\s+(?:inc|corp|co|plc|ltd|group|holdings|shares?|stock|stores?|ceo|cfo|chief|chairman|executives?|bonds?|workers|"
    r"said|says|reports?|reported|posts?|posted|beats?|misses|missed|raises?|raised|cuts?|lowers?|lowered|warns?|warned|plans?|"
    r"to\s+(?:buy|sell|cut|close|acquire|report|launch|lay|recall|pay|invest|open|raise|spin|hire|offer)|sues?|sued|recalls?|agrees?|agreed|"
    r"announces?|announced|acquires|acquired|adds|appoints|buys|completes|declares|declared|hires|launches|launched|names|outlines|prepares|releases|"
    r"seeks|sells|signs|suspends|unveils|unveiled|wins|downgraded|upgraded|initiated|shareholders|investors|expects?|forecasts?|sees|surges?|slumps?|slides?|jumps?|tumbles?|plunges?|soars?|gains?|rises?|falls?|drops?|"
    r"profits?|earnings|revenue|sales|results|dividend|outlook|q[1-4]|quarterly|motor)\b|\s*\((?:NYSE|NASDAQ|[A-Z]{1,5}(?:\.[A-Z])?\))|\s*,\s+(?:which|whose)\b|\s*(?:股价|股價|股票|公司))",
    re.IGNORECASE,
)  # fmt: skip
_BEFORE = re.compile(
    r"(?:shares? (?:of|in)|stock (?:of|in)|retailer|automaker|carmaker|company|maker|giant|rival|rivals|at|sues?|against|buys?|acquires?|owner of|chain|ceo of|between)\s+$",
    re.IGNORECASE,
)
_STRONG_AFTER = re.compile(
    r"^(?:['’]s\s+(?:shares?|stock|ceo|cfo|profit|earnings|revenue|sales|results|quarter|dividend|chief|stores?)\b"
    r"|\s+(?:inc|corp|co|plc|ltd|shares?|stock|ceo|cfo|motor)\b|\s*\((?:NYSE|NASDAQ|[A-Z]{1,5}(?:\.[A-Z])?\)))",
    re.IGNORECASE,
)
_LIST = re.compile(r",? (?:and|&|or|vs\.?) |, |/| & ")
# `Owens Corning upgraded`, `Fed's Williams says`: another capital right before it, and it is not the start of a sentence.
# `U.S. Visa cuts` too; but `sales in the U.S. Visa said` is the end of one.
_PART_OF_NAME = re.compile(
    r"(?<![.:!?])(?:^|\s)(?!(?:Why|How|What|When|Where|Is|Are|Can|Will|Does|Did|The|A|An|If|As|At|In|On|Of|For|And|But|Or|To|By|From|With|Retailer|Rival)\b)[A-Z][\w&'’-]*\s$"
    r"|(?<![Tt]he )\b(?:[A-Z]\.){2,}\s$"
)
# Where the subject of a headline stands: at its start, or after its mark (`UPDATE 1-`, `BRIEF:`).
_SUBJECT = re.compile(r"(?:^|[-–—:;|]\s*)$")
_LOWER_END = re.compile(r"[a-z]{2,},? $")
_LOWER_START = re.compile(r"^,? [a-z]{2,}")
_LOWER_WORD = re.compile(r"\b[a-z]{4,}\b")
_UPPER_WORD = re.compile(r"\b[A-Z][a-z]{3,}\b")


@dataclass(frozen=True, slots=True)
class Watched:
    """A company as the matcher needs it. `common`: its name is also a word; `exact_case`: found in this spelling only."""

    id: int
    name: str
    ticker: str | None = None
    aliases: tuple[str, ...] = ()
    negative_contexts: tuple[str, ...] = ()
    common: bool = False
    exact_case: bool = False


@dataclass(frozen=True, slots=True)
class Mention:
    """A company in a text; `spans` are [start, end) character offsets, at most 50 of them."""

    company_id: int
    relevance: float
    in_title: bool
    hits: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One string of the automaton. `kind`: name, weak (common word), ticker, blocker (negative context), setting (one without the name)."""

    company_id: int
    text: str
    kind: str
    exact: bool
    words: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    pattern: _Pattern


class WatchList:
    """The automata over all names; built once per run (about 10 ms and 3 MB per 100 companies), read by any thread.

    Names that match in one spelling only (`GE`, `$F`) have an automaton of their own over the text as it is: in lower
    case they would be found inside every other word.
    """

    def __init__(self, companies: Sequence[Watched]) -> None:
        folded: dict[str, list[_Pattern]] = {}
        exact: dict[str, list[_Pattern]] = {}
        for company in companies:
            for pattern in _patterns(company):
                if pattern.exact:
                    for spelling in (
                        {pattern.text, pattern.text.upper()} if pattern.kind == "weak" else {pattern.text}
                    ):
                        exact.setdefault(spelling.replace("’", "'"), []).append(pattern)
                else:
                    folded.setdefault(_folded(pattern.text), []).append(pattern)
        self._folded, self._exact = _Automaton(folded), _Automaton(exact)

    def find(self, text: str, title_chars: int) -> list[Mention]:
        """Mentions in `text`, whose first `title_chars` characters are the title; most relevant first."""
        raw = [*self._folded.find(_folded(text)), *self._exact.find(text.replace("’", "'"))]
        if not raw:
            return []
        hits = _longest(_meant(text, [hit for hit in raw if _is_whole(text, hit)]))
        return _weigh(hits, text, title_chars)


class _Automaton:
    """Finds every place of every string, those inside other ones too. A DFA: the list is small, texts are many."""

    def __init__(self, patterns: Mapping[str, Sequence[_Pattern]]) -> None:
        self._groups = list(patterns.values())
        self._strings = AhoCorasick(list(patterns), implementation=Implementation.DFA)

    def find(self, text: str) -> list[_Hit]:
        return [
            _Hit(start, end, pattern)
            for group, start, end in self._strings.find_matches_as_indexes(text, overlapping=True)
            for pattern in self._groups[group]
        ]


def plain_name(name: str) -> str:
    """A company's name without legal form (`Apple Inc.` -> `Apple`)."""
    stripped = _SUFFIX.sub("", name.strip()).strip(" ,")
    return stripped if len(stripped) >= 2 else name.strip()


def _patterns(company: Watched) -> Iterable[_Pattern]:
    short = plain_name(company.name)
    for name in dict.fromkeys((company.name, *company.aliases)):
        weak = company.common and name == short
        exact = weak or company.exact_case or _is_acronym(name)
        for spelling in _spellings(name):
            yield _pattern(company, spelling, "weak" if weak else "name", exact)
    for phrase in company.negative_contexts:
        named = any(_folded(name) in _folded(phrase) for name in (short, *company.aliases))
        yield _pattern(company, phrase, "blocker" if named or not company.common else "setting", False)
    if company.ticker:
        for sign in _signs(company.ticker):
            yield _pattern(company, sign, "ticker", True)


def _pattern(company: Watched, text: str, kind: str, exact: bool) -> _Pattern:
    return _Pattern(company.id, text, kind, exact, not _UNSPACED.search(text))


def _spellings(name: str) -> Iterable[str]:
    """A name as one house or another writes it: `Procter and Gamble`, `D.R. Horton`, `DR Horton`, `Warner Bros Discovery`."""
    found = [name, name.replace(" & ", " and "), name.replace(" and ", " & ")]
    for between, end in ((". ", ". "), (".", ". "), ("", " "), (" ", " ")):
        found.append(_INITIALS.sub(lambda run: between.join(_LETTER.findall(run[0])) + end, name))  # noqa: B023
    return dict.fromkeys((*found, name.replace(". ", " ")))


def _is_acronym(name: str) -> bool:
    """Short names in capitals (`GE`, `BP`, `SAP`) match in capitals only: `sap` is a word."""
    return len(name) <= 4 and name.isupper()


def _signs(ticker: str) -> Iterable[str]:
    yield f"${ticker}"
    for exchange in ("NYSE", "NASDAQ", "Nasdaq", "LSE", "XETRA", "HKEX", "SEHK", "SHA", "SHE", "TYO"):
        yield f"{exchange}: {ticker}"
        yield f"{exchange}:{ticker}"
    if len(ticker) >= 2:
        yield f"({ticker})"
    for market in ("O", "N", "OQ", "K", "L"):
        yield f"({ticker}.{market})"


def _is_whole(text: str, hit: _Hit) -> bool:
    if not hit.pattern.words:
        return True
    before = text[hit.start - 1] if hit.start else " "
    after = text[hit.end] if hit.end < len(text) else " "
    first, last = text[hit.start], text[hit.end - 1]
    if (first.isalnum() and _joins(before)) or (last.isalnum() and _joins(after)):
        return False
    if first.isdigit() and _is_amount(text[max(0, hit.start - 2) : hit.start]):
        return False
    if before == "$" and hit.pattern.exact and hit.pattern.kind == "name":
        return False  # `$HP` is the ticker of somebody else
    return not _HYPHEN.search(hit.pattern.text + text[hit.start : hit.end]) or _is_hyphened(text, hit)


def _is_amount(before: str) -> bool:
    """Whether digits after it go on or follow a currency: `$3M` and `1.3M` are money, not the company."""
    return unicodedata.category(before[-1:] or " ") == "Sc" or bool(_DECIMAL.fullmatch(before))


def _is_hyphened(text: str, hit: _Hit) -> bool:
    """Whether a hyphen more or less than its name has is no matter: `Coca Cola` is `Coca-Cola`, to snap on is not `Snap-on`."""
    pairs = zip(hit.pattern.text, text[hit.start : hit.end], text[hit.start + 1 :], strict=False)
    return not any((own == " ") != (other == " ") and after.islower() for own, other, after in pairs)


def _joins(character: str) -> bool:
    """Letters and digits continue a word; a Chinese neighbour does not continue a Latin one."""
    return (character.isalnum() or character == "_") and not _UNSPACED.match(character)


def _meant(text: str, hits: list[_Hit]) -> list[_Hit]:
    """Hits where the company is meant: not blocked, and common words only with something that says so."""
    blockers = [hit for hit in hits if hit.pattern.kind == "blocker"]
    settings = [hit for hit in hits if hit.pattern.kind == "setting"]
    names = [hit for hit in hits if hit.pattern.kind not in ("blocker", "setting")]
    free = [hit for hit in names if not _blocked(hit, blockers)]
    weak = [hit for hit in free if hit.pattern.kind == "weak"]
    if not weak:
        return free
    sure = [
        hit
        for hit in free
        if hit.pattern.kind != "weak" or (_says_company(text, hit) and not _is_near(hit, settings))
    ]
    sure += [hit for hit in weak if hit not in sure and _in_a_list(text, hit, sure)]
    meant = {hit.pattern.company_id for hit in sure}
    return [hit for hit in free if hit.pattern.company_id in meant]


def _blocked(hit: _Hit, blockers: list[_Hit]) -> bool:
    return any(
        other.pattern.company_id == hit.pattern.company_id and other.start < hit.end and hit.start < other.end
        for other in blockers
    )


def _is_near(hit: _Hit, settings: list[_Hit]) -> bool:
    return any(
        other.pattern.company_id == hit.pattern.company_id
        and max(other.start - hit.end, hit.start - other.end) <= SETTING_REACH
        for other in settings
    )


def _says_company(text: str, hit: _Hit) -> bool:
    after, before = text[hit.end : hit.end + 24], text[max(0, hit.start - 24) : hit.start]
    if _PART_OF_NAME.search(before) and _LOWER_START.match(after):
        return False
    if _STRONG_AFTER.match(after):
        return True
    if text[hit.start : hit.end].isupper() and _shouts(text, hit):
        return bool(_AFTER.match(after)) and _begins_in_capitals(text, hit)
    return bool(_AFTER.match(after) or _BEFORE.search(before)) or _capital_in_a_sentence(text, hit)


def _in_a_list(text: str, hit: _Hit, sure: list[_Hit]) -> bool:
    """Whether it stands beside a company that is sure: `Visa, Mastercard settle`, `GM and Ford`, `Visa and Gap sue`."""
    gaps = (text[min(hit.end, other.end) : max(hit.start, other.start)] for other in sure)
    return any(_LIST.fullmatch(gap) for gap in gaps)


def _capital_in_a_sentence(text: str, hit: _Hit) -> bool:
    """Whether it is a capital amid lower-case words, where a common word would have none."""
    before, after = text[max(0, hit.start - 40) : hit.start], text[hit.end : hit.end + 40]
    if not _LOWER_END.search(before) or not _LOWER_START.match(after):
        return False
    lower, upper = (len(pattern.findall(f"{before} {after}")) for pattern in (_LOWER_WORD, _UPPER_WORD))
    return lower >= 2 and lower > upper


def _begins_in_capitals(text: str, hit: _Hit) -> bool:
    """Whether it is the first word of a line in capitals: they say no less there than in `Target Cuts Profit Outlook`."""
    start = text.rfind("\n", 0, hit.start) + 1
    line = text[start:].partition("\n")[0]
    return line.isupper() and bool(_SUBJECT.search(text[start : hit.start]))


def _shouts(text: str, hit: _Hit) -> bool:
    """Whether the neighbourhood is all capitals, where case says nothing."""
    around = text[max(0, hit.start - 30) : hit.start] + text[hit.end : hit.end + 30]
    letters = [character for character in around if character.isalpha()]
    return bool(letters) and sum(map(str.isupper, letters)) > 0.8 * len(letters)


def _longest(hits: list[_Hit]) -> list[_Hit]:
    """Of overlapping hits the longest: `JPMorgan Chase` is not also `Chase`."""
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start, h.pattern.company_id)):
        overlapping = [other for other in kept if hit.start < other.end and other.start < hit.end]
        same_place = all((other.start, other.end) == (hit.start, hit.end) for other in overlapping)
        repeated = any(other.pattern.company_id == hit.pattern.company_id for other in overlapping)
        if not overlapping or (same_place and not repeated):
            kept.append(hit)
    return kept


def _weigh(hits: list[_Hit], text: str, title_chars: int) -> list[Mention]:
    by_company: dict[int, list[_Hit]] = {}
    for hit in sorted(hits, key=lambda h: h.start):
        by_company.setdefault(hit.pattern.company_id, []).append(hit)
    mentions = [
        _mention(company_id, own, len(own) / len(hits), text, title_chars)
        for company_id, own in by_company.items()
    ]
    return sorted(mentions, key=lambda mention: (-mention.relevance, mention.company_id))


def _mention(company_id: int, hits: list[_Hit], share: float, text: str, title_chars: int) -> Mention:
    in_title = hits[0].start < title_chars
    place = 1.0 - hits[0].start / max(len(text), 1)
    relevance = TITLE_WEIGHT * in_title + PLACE_WEIGHT * place + SHARE_WEIGHT * share
    spans = tuple((hit.start, hit.end) for hit in hits[:SPAN_LIMIT])
    return Mention(company_id, round(min(relevance, 1.0), 4), in_title, len(hits), spans)


def _folded(text: str) -> str:
    """As long as `text`: lower case, without accents, a blank for each hyphen and one kind of apostrophe."""
    lowered = text.lower()
    if not text.isascii():
        if len(lowered) != len(text):
            lowered = "".join(map(_lower_one, text))
        lowered = _SPECIAL.sub(lambda found: _plain(found[0]), lowered)
    return lowered.replace("-", " ")


@lru_cache(maxsize=1024)
def _plain(character: str) -> str:
    """`e` for `é`; a hyphen or an apostrophe for another form of it."""
    parts = unicodedata.normalize("NFD", character)
    first, marks = parts[0], parts[1:]
    accented = first.isascii() and marks and all("\u0300" <= mark <= "\u036f" for mark in marks)
    return first.lower() if accented else _PLAIN.get(character, character)


def _lower_one(character: str) -> str:
    lowered = character.lower()
    return lowered if len(lowered) == 1 else character
