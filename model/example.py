"""A text with the labels known of it, and how its characters are read. Pure; no files."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CompanyLabel:
    """A company in a text, where it stands (half-open character ranges) and its sentiment, if one is known.

    `taught` is what a teacher says of it: probabilities in the order of SENTIMENTS; empty where none was asked.
    """

    name: str
    spans: tuple[tuple[int, int], ...]
    sentiment: str | None = None
    taught: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One text with the labels known of it. `story` groups near copies; a split never takes a story apart.

    `taught` and `taught_topics` are a teacher's probabilities (model/teach.py); empty where none was asked.
    """

    text: str
    sentiment: str | None = None
    companies: tuple[CompanyLabel, ...] = ()
    topics: tuple[str, ...] = ()
    source: str = ""
    story: str = ""
    published_at: str = ""
    weight: float = 1.0
    taught: tuple[float, ...] = ()
    taught_topics: tuple[float, ...] = ()


_URL = re.compile(r"https?://\S+")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,6});")


def normalise(text: str) -> str:
    """Blank what says nothing (the tail of a URL) and undo HTML entities, keeping every character offset as it was."""
    text = _URL.sub(lambda m: "http".ljust(len(m.group())), text)
    text = _ENTITY.sub(lambda m: _same_length(html.unescape(m.group()), m.group()), text)
    return text.replace("\x00", " ")


def _same_length(new: str, old: str) -> str:
    return new.ljust(len(old)) if len(new) <= len(old) else old


def find_spans(text: str, name: str) -> tuple[tuple[int, int], ...]:
    """Every place where `name` stands in `text` as a whole word, whatever its case; () when nowhere."""
    if not name.strip():
        return ()
    words = r"\s+".join(map(re.escape, name.split()))
    found = tuple(m.span() for m in re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))
    if found:
        return found
    # Glued to other letters, as in Chinese or "USDINR". Not looked for in text.lower(), where "İ" is two characters.
    glued = re.search(words, text, re.IGNORECASE)
    return (glued.span(),) if glued else ()
