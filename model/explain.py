"""Which words made the verdict: leave each one out and see how the score moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:[.,'’&-][^\W_]+)*|[%$€£¥]", re.UNICODE)


class Word(NamedTuple):
    """A word and its characters [start, end) in the text."""

    token: str
    start: int
    end: int


def words_of(text: str, keep: Sequence[tuple[int, int]] = ()) -> list[Word]:
    """The words of a text that may be left out: numbers whole, none inside the ranges to keep.

    A script without spaces gives one long run; it is cut into single characters.
    """
    words: list[Word] = []
    for found in _WORD.finditer(text):
        start, end = found.span()
        if any(start < b and end > a for a, b in keep):
            continue
        if any("\u3040" <= c <= "\u9fff" for c in found.group()):
            words += [Word(text[i], i, i + 1) for i in range(start, end)]
        else:
            words.append(Word(found.group(), start, end))
    return words


def occlude(
    text: str, word: Word, mask: str, spans: Sequence[tuple[int, int]]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text with `mask` in the place of `word`, and the spans moved along."""
    shift = len(mask) - (word.end - word.start)
    moved = tuple((a + shift, b + shift) if a >= word.end else (a, b) for a, b in spans)
    return text[: word.start] + mask + text[word.end :], moved


def mark(text: str, contributions: Sequence[tuple[str, int, int, float]], least: float = 0.25) -> str:
    """The text with the words that moved the score marked: [+word] towards positive, [-word] towards negative.

    A word is marked from `least` of the strongest one's pull: on a sure verdict every single word moves little.
    """
    strongest = max((abs(c[3]) for c in contributions), default=0.0)
    out, at = [], 0
    for _, start, end, value in sorted(contributions, key=lambda c: c[1]):
        if strongest and abs(value) >= least * strongest:
            out += [text[at:start], f"[{'+' if value > 0 else '-'}{text[start:end]}]"]
            at = end
    return "".join(out) + text[at:]
