"""feeds.toml and companies.toml: read whole, every mistake told at once with its line. Pure but for reading the file."""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigurationError, FetchError, FileMistakes
from pipeline.ingest.language import base_code

Check = Callable[[Any], str | None]

_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,79}$")


def read_feeds(path: Path) -> list[dict[str, Any]]:
    """The entries of feeds.toml as rows of table feeds. Raises FileMistakes with all of them, ConfigurationError if absent."""
    return _read(path, "feeds", _FEED, required=("name", "url"), unique=("name", "url"))


def read_companies(path: Path) -> list[dict[str, Any]]:
    """The entries of companies.toml. Raises like `read_feeds`."""
    return _read(path, "companies", _COMPANY, required=("name",), unique=("name", "ticker"))


def check_feed(feed: Mapping[str, Any]) -> list[str]:
    """What is wrong with one feed given by hand, in words; empty if nothing."""
    return _check_entry(feed, _FEED, ("name", "url"))


def _read(
    path: Path, table: str, checks: Mapping[str, Check], required: tuple[str, ...], unique: tuple[str, ...]
) -> list[dict[str, Any]]:
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileMistakes(path.name, [f"it is no TOML: {error}"]) from None
    entries = document.get(table)
    mistakes = [
        f"{key!r} is no table of this file; entries begin with [[{table}]]"
        for key in document
        if key != table
    ]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FileMistakes(path.name, [*mistakes, f"it has no [[{table}]] entries"])
    lines = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if re.match(rf"\s*\[\[\s*{table}\s*\]\]", line)
    ]
    places = [_place(entry, lines[n] if n < len(lines) else 0) for n, entry in enumerate(entries)]
    for place, entry in zip(places, entries, strict=True):
        mistakes += [f"{place}: {mistake}" for mistake in _check_entry(entry, checks, required)]
    mistakes += _repeated(entries, places, unique)
    if mistakes:
        raise FileMistakes(path.name, mistakes)
    return entries


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist", "create it, or name another file in the settings"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", "check its rights and that it is UTF-8"
        ) from None


def _place(entry: Mapping[str, Any], line: int) -> str:
    name = entry.get("name")
    return f"line {line} ({name})" if isinstance(name, str) and name else f"line {line}"


def _check_entry(
    entry: Mapping[str, Any], checks: Mapping[str, Check], required: tuple[str, ...]
) -> list[str]:
    mistakes = [f"{key} is missing" for key in required if key not in entry]
    for key, value in entry.items():
        if key not in checks:
            near = difflib.get_close_matches(key, checks, n=1)
            mistakes.append(
                f"{key} is no option"
                + (f"; did you mean {near[0]}?" if near else f"; there are {', '.join(checks)}")
            )
            continue
        mistake = checks[key](value)
        if mistake:
            mistakes.append(f"{key} {mistake}")
    return mistakes


def _repeated(entries: list[dict[str, Any]], places: list[str], unique: tuple[str, ...]) -> list[str]:
    mistakes: list[str] = []
    for key in unique:
        first: dict[Any, str] = {}
        for place, entry in zip(places, entries, strict=True):
            value = entry.get(key)
            if not isinstance(value, str):
                continue
            if value in first:
                mistakes.append(f"{place}: {key} {value!r} is already used at {first[value]}")
            first.setdefault(value, place)
    return mistakes


def _is(kind: type, words: str) -> Check:
    return lambda value: (
        None
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        else f"must be {words}"
    )


def _name(value: Any) -> str | None:
    fine = isinstance(value, str) and _NAME.match(value)
    return None if fine else "must be lower-case letters, digits, dots and hyphens, at most 80"


def _url(value: Any) -> str | None:
    from pipeline.ingest.addresses import checked_url

    if not isinstance(value, str):
        return "must be text"
    try:
        checked_url(value)
    except FetchError as error:
        return f"cannot be fetched: {error.message}"
    return None


def _zone(value: Any) -> str | None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError):
        return f"{value!r} is no IANA zone such as America/New_York"
    return None


def _language(value: Any) -> str | None:
    return (
        None
        if isinstance(value, str) and base_code(value) == value
        else "must be an ISO 639-1 code such as en"
    )


def _seconds(value: Any) -> str | None:
    fine = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 86_400
    return None if fine else "must be whole seconds from 1 to 86400"


def _texts(value: Any) -> str | None:
    fine = isinstance(value, list) and all(isinstance(part, str) and part.strip() for part in value)
    return None if fine else "must be a list of texts, none of them empty"


def _filled(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be text and not empty"


_FEED: dict[str, Check] = {
    "name": _name, "url": _url, "title": _is(str, "text"), "enabled": _is(bool, "true or false"), "language": _language,
    "default_tz": _zone, "tags": _texts, "min_interval_s": _seconds, "user_agent": _filled,
    "may_store_body": _is(bool, "true or false"), "may_train": _is(bool, "true or false"), "full_text": _is(bool, "true or false"),
}  # fmt: skip
_COMPANY: dict[str, Check] = {
    "name": _filled, "ticker": _filled, "sector": _filled, "aliases": _texts, "negative_contexts": _texts,
    "common": _is(bool, "true or false"), "exact_case": _is(bool, "true or false"),
}  # fmt: skip
