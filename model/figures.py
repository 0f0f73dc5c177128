"""Figures compared by arithmetic: "EUR 14.1 mn, compared to EUR 12.3 mn" is read as "EUR 14.1 mn higher, compared to ...".

A small encoder sees digits as pieces of words and cannot tell which of two figures is larger; whether more is good news
(sales) or bad (debt) it learns from words. So the comparison is made here and said in one word behind the present figure:
higher, lower or same. Only English cues are known; a text without one is left as it is. Pure.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

#: Characters that are looked at: more than any encoder here reads, few enough that a hostile text costs nothing.
READ: Final = 4096

#: How many times another one a figure may be to be of its kind.
LARGEST: Final = 30

# --- what a figure looks like -----------------------------------------------------------------------------------

_CURRENCIES: Final = {
    "€": "eur euro euros",
    "$": "usd us$ dollar dollars dlrs",
    "£": "gbp pound pounds",
    "¥": "jpy yen",
    "₹": "inr rs rupee rupees",
    "cny": "rmb yuan",
    "krw": "won",
    "sek": "kronor",
    "nok": "kroner",
    "dkk": "",
    "chf": "francs",
    "rub": "roubles rubles",
    "cent": "cents pence p",
    **dict.fromkeys(("hk$", "nt$", "a$", "c$", "s$", "hkd", "twd", "sgd", "aud", "cad", "nzd", "brl"), ""),
    **dict.fromkeys(("mxn", "zar", "pln", "czk", "huf", "try", "eek", "lvl", "ltl"), ""),
}
_CURRENCY: Final = {name: unit for unit, names in _CURRENCIES.items() for name in (unit, *names.split())}
_SCALES: Final = {
    name: scale
    for scale, names in {
        1e3: "k thousand",
        1e5: "lakh",
        1e6: "m mn mln mio million",
        1e7: "cr crore",
        1e9: "b bn bln billion",
        1e12: "tn trln trillion",
    }.items()
    for name in names.split()
} | {"lakh crore": 1e12}


def _any(names: Sequence[str]) -> str:
    return "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))


_SIGNS: Final = [name for name in _CURRENCY if not name.isalpha()]
_WORDS_FOR_MONEY: Final = [name for name in _CURRENCY if name.isalpha()]
_FIGURE: Final = re.compile(
    rf"""(?<![\w.,/])(?:(?<!-)|(?=[$€£¥₹]))
    (?P<minus>-(?!\s)|minus\s)?
    (?:(?P<before>{_any(_SIGNS)}|(?:{_any(_WORDS_FOR_MONEY)})\.?)\s?)?
    (?P<sign>-|minus\s)?
    (?P<number>\d+(?:,\d{{3}})+(?:\.\d+)?|\d{{1,3}}(?:[ \u00a0]\d{{3}})+(?![.,]?\d)|\d+(?:[.,]\d+)?|\.\d+)
    (?:[\s-]?(?P<scale>{_any(list(_SCALES))})\b)?
    (?:\s?(?P<behind>{_any(_WORDS_FOR_MONEY)})\b|\s?(?P<share>%|percent\b|per\scent\b|pct\b)|\s?(?P<points>bps?\b)|x\b)?
    (?![\w/]|[.,]\d|-\w)""",
    re.VERBOSE | re.IGNORECASE,
)
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_THEN_MONTH: Final = re.compile(rf"\s{_MONTH}\b", re.IGNORECASE)
_AFTER_MONTH: Final = re.compile(rf"\b{_MONTH}\.?\s$", re.IGNORECASE)
_DATE: Final = re.compile(
    rf"\b(?:19|20)\d\d(?:[-/]\d{{2,4}})?\b|\b[QH][1-4]\b|\b\d{{1,2}}-month\b|\b\d{{1,2}}\s{_MONTH}\b|\b{_MONTH}\s\d{{1,2}}\b",
    re.IGNORECASE,
)

# --- what is said between two figures that are compared ---------------------------------------------------------

_WORDS: Final = r"(?:[^.;:\d()]|\.(?!\s)){0,60}"  # within the sentence, without another figure
_FEW: Final = (
    r"(?:\s(?:an?|the|about|around|some|just|only|roughly|nearly|almost|over|operating|net|pretax|pre-tax|profit|loss|of|"
    r"last|year's|previous|prior|adjusted|estimated|expected)){0,6}\s?"
)
_TIME: Final = r"(?:a|the|one)\syear\s(?:ago|earlier|before)|last\s(?:year|quarter|month|week|spring|summer|autumn|winter)"
#: Not "up 3 paise vs dollar".
_RATE: Final = r"(?!\s(?:the\s)?(?:US\s)?(?:dollar|euro|yen|pound|sterling|rupee|greenback))"
#: Present figure, one of these, past or expected figure.
_BESIDE: Final = re.compile(
    rf"""{_WORDS}\b(?:as\s)?(?:compared|comparing)\s(?:to|with)\b{_WORDS}
    |{_WORDS}\b(?:as\s)?(?:against|versus|vs\.?|(?:up|down|higher|lower)\sfrom)(?![\w-]){_RATE}{_WORDS}
    |{_WORDS}\b(?:from|(?P<after>after)){_FEW}
    |\s?[(\[]\s?(?:from\s|vs\.?\s|(?:a\s)?(?:loss|profit)\s(?:of\s)?|[x/]{{2,}}\s?:?\s?)?
    |(?P<bracket>\s[a-z][\w/ ]{{0,25}}[(\[]\s?)
    |[^.()\d,;:]{{0,40}}[,;:](?:[^.()\d,;:]{{0,40}}\b)?(?:{_TIME}|(?:prior|previous)\s\w+|previously|it\shad\sbeen)\s?[:,]?{_FEW}
    |\s?[,(]?\s?(?:the\s)?(?:\w+\s)?(?:est|ests|estimates?|estimated|consensus|cons|expected|exp|forecast)\.?:?\s?(?:of|was|is)?\s?
    |{_WORDS}\b(?:while|whereas|where|when)\b{_WORDS}\b(?:(?:it|they)\shad|had\sbeen|before|ago|earlier|preceding|previous|prior|last|x{{4}})\b{_WORDS}""",
    re.VERBOSE | re.IGNORECASE,
)
#: "68 % of net sales (55 %)": a bracket with nothing but the past figure.
_CLOSED: Final = re.compile(r"\s?[)\]]")
#: "EUR 2 mn, EUR 9 mn a year earlier": what stands between them and behind the past one.
_COMMA: Final = re.compile(r"\s?[,;(]\s?(?:and\s)?")
_AGO: Final = re.compile(rf"\s(?:in\s)?(?:{_TIME}|the\s(?:previous|prior)\s\w+)\b", re.IGNORECASE)
#: What may follow a bare figure that is compared; another noun is another thing: "from 20 investors".
_ENDS: Final = re.compile(
    r"\s*(?:$|[^\w\s]|(?:after|an?|and|as|at|because|before|but|by|earlier|estimated?|expected|expectation|forecast|consensus|for|in|to\s\d|last|on|one|per|"
    r"http|previously|previous|prior|seen|Street|that|the|then|when|while|x+)\b)",
    re.IGNORECASE,
)
_NOUN: Final = re.compile(r"[\s-]*([^\W\d]\w*)")
#: What stands before a past figure that comes first, and between it and the present one.
_FROM: Final = re.compile(
    rf"(?<!up )(?<!down )(?<!range )(?<!ranges )(?<!ranging )\bfrom{_FEW}$", re.IGNORECASE
)
_TO: Final = re.compile(rf"[^.,;:\d()]{{0,40}}\bto{_FEW}", re.IGNORECASE)
_FIRST: Final = re.compile(
    rf"""(?:^\s*|[.;:,]\s)(?:(?:as\s)?(?:against|versus|compared\s(?:to|with)|from|(?P<after>after))\b{_FEW}
    |(?:while|where|whereas)\b{_WORDS}\bhad\sbeen\s?)$""",
    re.VERBOSE | re.IGNORECASE,
)
_LATER: Final = re.compile(r"(?:[^.;:\d]|\.(?!\s)){0,80}\s?,(?:[^.;:\d]|\.(?!\s)){1,80}")
_SIDE: Final = re.compile(r"\b(loss(?:es)?|deficit|profits?|surplus)\b", re.IGNORECASE)


class Comparison(NamedTuple):
    """`word` (higher, lower, same) is what a figure that ends at character `at` is beside the one it is compared with."""

    at: int
    word: str


class _Figure(NamedTuple):
    start: int
    end: int
    value: float
    scale: float | None
    unit: str  # "%", "bp", a currency, or "" for none

    @property
    def measured(self) -> bool:
        return bool(self.unit or self.scale)


@dataclass(frozen=True, slots=True)
class Compared:
    """A text with its comparisons said in words, and where they were put in: (place in the text as it was, characters)."""

    text: str
    inserted: tuple[tuple[int, int], ...] = ()

    def moved(self, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        """Character ranges of the text as it was, in the text as it is now."""
        return tuple((self._move(start + 1) - 1, self._move(end)) for start, end in spans)

    def _move(self, at: int) -> int:
        return at + sum(length for place, length in self.inserted if place < at)


def compare_figures(text: str) -> Compared:
    """The text with "higher", "lower" or "same" behind each figure that it compares with another one; once, however often."""
    found = [c for c in find_comparisons(text) if not text.startswith(f" {c.word}", c.at)]
    pieces, done = [], 0
    for at, word in found:
        pieces += [text[done:at], f" {word}"]
        done = at
    return Compared("".join(pieces) + text[done:], tuple((at, len(word) + 1) for at, word in found))


def find_comparisons(text: str) -> list[Comparison]:
    """Each present figure that stands beside a past or expected one of its kind, in the order of the text."""
    text = text[:READ]
    plain = _DATE.sub(lambda m: "x" * len(m.group()), text)  # "in 2006, against": no figures in between
    pairs = list(itertools.pairwise(_figures(text)))
    found: list[Comparison] = []
    taken = None
    for i, (first, second) in enumerate(pairs):
        if first is taken:
            continue
        before, between = _around(plain, first, second)
        if _past_first(plain, first, second):
            found.append(Comparison(second.end, _word(second, first, between, before)))
        elif _present_first(plain, first, second) and not any(
            _runs_from(plain, *p) for p in pairs[i + 1 : i + 2]
        ):
            found.append(Comparison(first.end, _word(first, second, before, between)))
        else:
            continue
        taken = second
    return found


def _around(plain: str, first: _Figure, second: _Figure) -> tuple[str, str]:
    """What is said before the first figure and between the two."""
    return plain[max(0, first.start - 90) : first.start], plain[first.end : second.start]


def _past_first(plain: str, first: _Figure, second: _Figure) -> bool:
    """ "From A to B", "Against A in 2005, profit reached B", "After a loss of A last year, a profit of B"."""
    before, between = _around(plain, first, second)
    if not _alike(second, first):
        return False
    if _FROM.search(before):
        return bool(_TO.fullmatch(between))
    opened = _FIRST.search(before)
    of_a_kind = (first.measured and second.measured) or not (
        opened and opened["after"]
    )  # "After 3 years, ... 27"
    return bool(opened and of_a_kind and _LATER.fullmatch(between))


def _runs_from(plain: str, first: _Figure, second: _Figure) -> bool:
    """ "From A to B": of "in 1 day from 95 to 380" the first two do not belong together; of "2.4 (from 1.5 to 1.7)" they do."""
    before, between = _around(plain, first, second)
    return bool(
        _alike(second, first) and _FROM.search(before) and "(" not in before[-8:] and _TO.fullmatch(between)
    )


def _present_first(plain: str, first: _Figure, second: _Figure) -> bool:
    """ "A, compared to B", "A (B)", "A while it had been B"; what the second counts must be what the first does."""
    _, between = _around(plain, first, second)
    if not _alike(first, second):
        return False
    if _COMMA.fullmatch(between) and _AGO.match(plain, second.end):
        return True
    beside = _BESIDE.fullmatch(between)
    if not beside:
        return False
    if beside["bracket"]:
        return bool(_CLOSED.match(plain, second.end))
    if beside["after"] and not (first.measured and second.measured and _ENDS.match(plain, second.end)):
        return False  # "USD 5 mn after a USD 9 mn charge"
    return (
        second.measured or bool(_ENDS.match(plain, second.end)) or _noun(plain, first) == _noun(plain, second)
    )


def _noun(plain: str, figure: _Figure) -> str:
    """The word behind a figure: what it counts."""
    found = _NOUN.match(plain, figure.end)
    return found[1].lower() if found else ""


def _figures(text: str) -> Iterator[_Figure]:
    """Amounts, shares and counts of a text; years and days are none."""
    for match in _FIGURE.finditer(text):
        number, money = match["number"], match["before"] or match["behind"]
        unit = "%" if match["share"] else "bp" if match["points"] else _known(_CURRENCY, money)
        scale = _known(_SCALES, match["scale"])
        if unit is None or (not (unit or scale) and _is_date(text, match)):
            continue
        groups = re.fullmatch(r"\d+(?:[, \u00a0]\d{3})+(?:\.\d+)?", number)
        value = float(re.sub(r"[, \u00a0]", "", number) if groups else number.replace(",", "."))
        negative = bool(match["minus"]) != bool(match["sign"])
        yield _Figure(match.start(), match.end(), -value if negative else value, scale or None, unit)


def _known(names: Mapping[str, Any], name: str | None) -> Any:
    """What a name stands for; "" for no name, None for one that only looks known ("mıo": case is not what it seems)."""
    return names.get(name.lower().rstrip(".")) if name else ""


def _is_date(text: str, match: re.Match[str]) -> bool:
    """Is a bare number a year, a day, or what a rate is given per?"""
    before = text[max(0, match.start() - 12) : match.start()]
    return bool(
        re.fullmatch(r"(?:19|20)\d\d", match["number"])
        or _THEN_MONTH.match(text, match.end())
        or _AFTER_MONTH.search(before)
        or before.lower().endswith("per ")
    )


def _alike(a: _Figure, b: _Figure) -> bool:
    """Are two figures of one kind? "EUR 6.2 mn (5.1)" and "3.1 % (2.8)" are, "up 5 % from EUR 3" is not.

    The present one, `a`, has the unit: "in the 9 months, compared with EUR 10 mn" is another matter. So are figures of
    very different size: "USD 0.52 a share, compared with USD 20 mn".
    """
    if a.unit != b.unit and (b.unit or (a.unit in ("%", "bp") and b.scale)):
        return False
    small, large = sorted(abs(f.value * _scale(f, o)) for f, o in ((a, b), (b, a)))
    return not small or large <= LARGEST * small or min(a.value, b.value) < 0


def _word(now: _Figure, then: _Figure, by_now: str, by_then: str) -> str:
    """How `now` is beside `then`; `by_now` and `by_then` are the words that lead to each."""
    a, b = now.value * _scale(now, then), then.value * _scale(then, now)
    lost_now, lost_then = _lost(by_now), _lost(by_then)
    if None not in (lost_now, lost_then) and lost_now != lost_then:  # a profit after a loss is higher
        a, b = (-abs(a) if lost_now else a), (-abs(b) if lost_then else b)
    return "higher" if a > b else "lower" if a < b else "same"


def _scale(figure: _Figure, other: _Figure) -> float:
    """What a figure is counted in. One that does not say is counted as the other is ("EUR 6.2 mn (5.1)"), unless it is a
    count in full ("965,000 against 1.1 million")."""
    in_full = figure.unit or (abs(figure.value) >= 1000 and not other.unit)
    return figure.scale or (1.0 if in_full else other.scale) or 1.0


def _lost(words: str) -> bool | None:
    """Is the figure that these words lead to a loss? None where they do not say."""
    sides = _SIDE.findall(words)
    return sides[-1].lower().startswith(("loss", "deficit")) if sides else None
