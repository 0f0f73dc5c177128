"""A CSV list of companies -> entries of the watch list: legal forms stripped, names that are words marked. Pure but for reading."""

import csv
import re
from collections.abc import Mapping
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
    return list(entries.values())


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
    aliases = [alias for alias in dict.fromkeys([full, *([] if never else [short]), *given]) if alias != name]
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
