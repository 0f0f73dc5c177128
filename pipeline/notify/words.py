"""Which words of a story an alert marks: those that pulled its verdict towards negative. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

#: Words shown of a story; how strong the weakest may be against the strongest; and the least pull on the score that says
#: anything: a sure verdict hangs on no single word, and what is left out then moves it by chance.
MOST_WORDS: Final = 5
LEAST_SHARE: Final = 0.2
LEAST_PULL: Final = 0.02
#: Figures and particles are not why news is bad.
_TELLING: Final = re.compile(r"[^\W\d_]{3,}|[\u3040-\u9fff]")


def weighty(pulls: Iterable[tuple[str, float]]) -> list[str]:
    """The words that made it bad news, the strongest first, each once; none where nothing pulls that way.

    A pull is a word and what it adds to the score, from -1 to 1.
    """
    bad = sorted((pull, word) for word, pull in pulls if pull <= -LEAST_PULL and _TELLING.search(word))
    strong = [word for pull, word in bad if pull <= LEAST_SHARE * bad[0][0]]
    return list(dict.fromkeys(strong))[:MOST_WORDS]


def mark(text: str, words: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """`text` cut into parts, True for those that are one of `words` (whole words, capitals as they stand)."""
    if not words:
        return ((text, False),)
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first)
    parts = re.split(f"({pattern})", text)
    return tuple((part, n % 2 == 1) for n, part in enumerate(parts) if part)
