"""A CSV list of companies -> entries of the watch list: legal forms stripped, names that are words marked. Pure but for reading."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.errors import InputFileError
from pipeline.ingest.mentions import plain_name
from pipeline.ingest.text import one_line

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "security", "company", "company name", "issuer"),
    "ticker": ("ticker", "symbol"),
    "sector": ("sector", "gics sector", "industry"),
    "aliases": ("aliases", "alias", "other names"),
    "negative_contexts": ("negative_contexts", "negative contexts"),
}

# What the press leaves out of a name: `Dell Technologies`, `Philip Morris International`, `Truist Financial`.
_TRADE = re.compile(
    r"(?:\s+(?:technology|technologies|international|pharmaceuticals|therapeutics|laboratories|semiconductors?|systems|solutions|industries|"
    r"financial|financial services|bancorp|bancshares))+$",
    re.IGNORECASE,
)
_TURNED = re.compile(r"(?P<last>[^\W\d_]+) \((?P<first>[A-Z][a-z]+)\)")


def read_company_csv(path: Path) -> list[dict[str, Any]]:
    """Entries as in companies.toml, one per name. Raises InputFileError that says which column or line is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror})", "name a CSV file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(
            f"{path} cannot be read as CSV: {error}", "save it as UTF-8 CSV with a header"
        ) from error
    header = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    columns = {
        column: header[name]
        for column, names in _COLUMNS.items()
        for name in reversed(names)
        if name in header
    }
    if "name" not in columns:
        raise InputFileError(f"{path} has no column with names", f"call one {', '.join(_COLUMNS['name'])}")
    entries: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = _entry({column: one_line(row.get(name) or "", 2_000) for column, name in columns.items()})
        if entry and _is_first_share(entry, entries):
            entries[entry["name"]] = entry
    shorten(list(entries.values()))
    return list(entries.values())


def shorten(entries: Sequence[dict[str, Any]]) -> None:
    """Give each entry the name that the press has for it as an alias, where that means nobody else of the list and is no word."""
    begins = Counter(word for entry in entries for word in _beginnings(entry["name"]))
    for entry in entries:
        short = _TRADE.sub("", entry["name"])
        told = short != entry["name"] and begins[short.lower()] == 1 and not entry.get("common")
        if told and _is_telling(short) and short not in entry["aliases"]:
            entry["aliases"].append(short)


def _beginnings(name: str) -> set[str]:
    words = name.lower().split()
    return {" ".join(words[:count]) for count in range(1, len(words) + 1)}


def _is_telling(short: str) -> bool:
    """Whether a short name can stand for a company: no word, no person, no part of a longer one (`Orchid Chemicals &`)."""
    first, last, words = short.split()[0].lower(), short.split()[-1].lower(), common_words()
    whole = "." not in first and last not in ("&", "and", "of")
    return whole and len(short) > 2 and short.lower() not in words and f"!{first}" not in words


def _entry(values: Mapping[str, str]) -> dict[str, Any] | None:
    full = re.sub(r"\s*\(the\)", "", values["name"], flags=re.IGNORECASE).strip()
    if not full:
        return None
    full = re.sub(r"\s*\(class [a-c]\)", "", full, flags=re.IGNORECASE).strip()
    short, words = plain_name(full), common_words()
    never = f"!{short.lower()}" in words
    common = short.lower() in words or (never and full == short)  # no fuller name to tell it by
    name = full.rstrip(".") if never or common else short
    given = [alias.strip() for alias in values.get("aliases", "").split("|") if alias.strip()]
    turned = _TURNED.fullmatch(full)  # `Lilly (Eli)`
    forms = [
        full,
        *([] if never else [short]),
        *([f"{turned['first']} {turned['last']}"] if turned else []),
        *given,
    ]
    aliases = [alias for alias in dict.fromkeys(forms) if alias != name]
    contexts = [phrase.strip() for phrase in values.get("negative_contexts", "").split("|") if phrase.strip()]
    entry: dict[str, Any] = {"name": name, "aliases": aliases, "negative_contexts": contexts}
    entry |= {column: values[column] for column in ("ticker", "sector") if values.get(column)}
    if common:
        entry["common"] = True
    return entry


def _is_first_share(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> bool:
    """Share classes (`Alphabet Inc. (Class A)`, `(Class C)`) are one company; the first ticker stays."""
    return entry["name"] not in entries


@cache
def common_words() -> frozenset[str]:
    """Words that are also names, lower case; with `!` before them those that never stand for a company alone."""
    text = files("pipeline.ingest").joinpath("common_words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
