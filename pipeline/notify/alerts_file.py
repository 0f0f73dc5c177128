"""Reads the telling half of alerts.toml ([receivers], [[routes]], [[quiet_hours]], [[digests]]); all mistakes at once.

The other half, [rule], belongs to detect; its sections are left alone here.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import UTC, time, tzinfo
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigurationError, FileMistakes
from pipeline.notify.routes import (
    EVERY_DAY,
    Digest,
    Hours,
    QuietHours,
    Receiver,
    Route,
    Routing,
    always_quiet,
)
from pipeline.types import SeriesKind

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS = get_args(SeriesKind)
SECTIONS = ("receivers", "routes", "quiet_hours", "digests")
RECEIVER_FIELDS = {
    "email": {"kind", "to", "tz", "quiet_hours"},
    "slack": {"kind", "channel", "tz", "quiet_hours"},
    "apprise": {"kind", "url_setting", "tz", "quiet_hours"},
}
ROUTE_FIELDS = {"name", "series", "keys", "severity", "hours", "weekdays", "tz", "receivers"}
QUIET_FIELDS = {"hours", "weekdays", "tz", "critical_passes"}
DIGEST_FIELDS = {"name", "every", "at", "weekday", "tz", "receivers"}
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")


def load_routing(path: Path) -> Routing:
    """The routing in the file at `path`. Raises ConfigurationError (no file), FileMistakes."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror})",
            "name it in UNDERTOW_ALERTS_FILE, or copy the repository's alerts.toml there",
        ) from error
    return parse_routing(text, path.name)


def parse_routing(text: str, path: str = "alerts.toml") -> Routing:
    """The routing that `text` describes. Raises FileMistakes with every mistake, one sentence each."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileMistakes(path, [f"it is not TOML: {error}"]) from error
    reader = _Reader()
    routing = reader.routing(document)
    if reader.mistakes:
        raise FileMistakes(path, reader.mistakes)
    return routing


class _Reader:
    """Reads tables into nouns and collects what is wrong; a wrong value yields its default, so that reading goes on."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.where = ""
        self.names: set[str] = set()

    def routing(self, document: dict[str, Any]) -> Routing:
        self._misspelt_sections(document)
        tables = document.get("receivers", {})
        self.where = "[receivers]"
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            self.wrong("write each receiver as [receivers.NAME]")
            tables = {}
        self.names = set(tables)
        digests = tuple(self.digest(t, n) for n, t in self.numbered(document, "digests"))
        self._repeated_digests(digests)
        routing = Routing(
            receivers={name: self.receiver(name, table) for name, table in tables.items()},
            routes=tuple(self.route(t, n) for n, t in self.numbered(document, "routes")),
            quiet_hours=tuple(self.quiet(t) for _, t in self.numbered(document, "quiet_hours")),
            digests=digests,
        )
        self.where = "[quiet_hours]"
        if always_quiet(routing.quiet_hours):
            self.wrong("leave no time to send anything; shorten them")
        return routing

    def receiver(self, name: str, table: dict[str, Any]) -> Receiver:
        self.where = f"[receivers.{name}]"
        kind = self.one_of(table, "kind", tuple(RECEIVER_FIELDS), "email")
        self.only(table, RECEIVER_FIELDS[kind])
        needed = {"email": "to", "slack": "channel", "apprise": "url_setting"}[kind]
        if not table.get(needed):
            self.wrong(f"{needed} is missing; kind = {kind!r} needs it")
        to = self.words(table, "to")
        for address in to:
            if not _ADDRESS.fullmatch(address):
                self.wrong(f"to: {address!r} is not one email address")
        return Receiver(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            to=to,
            channel=self.text(table, "channel"),
            url_setting=self.text(table, "url_setting"),
            zone=self.zone(table),
            keeps_quiet_hours=self.flag(table, "quiet_hours", default=True),
        )

    def route(self, table: dict[str, Any], number: int) -> Route:
        self.where = f"[[routes]] number {number}"
        self.only(table, ROUTE_FIELDS)
        kinds = self.words(table, "series")
        for kind in kinds:
            if kind not in KINDS:
                self.wrong(f"series: {kind!r} is none of {', '.join(KINDS)}")
        return Route(
            name=self.text(table, "name") or f"route {number}",
            receivers=self.receivers(table),
            kinds=frozenset(kinds),
            keys=self.words(table, "keys"),
            severity=self.one_of(table, "severity", ("warning", "critical"), "warning"),  # type: ignore[arg-type]
            hours=self.hours(table),
        )

    def quiet(self, table: dict[str, Any]) -> QuietHours:
        self.where = "[quiet_hours]"
        self.only(table, QUIET_FIELDS)
        if "hours" not in table and "weekdays" not in table:
            self.wrong('say which: hours = "22:00-07:00", weekdays = "sat-sun", or both')
        return QuietHours(self.hours(table), self.flag(table, "critical_passes", default=True))

    def digest(self, table: dict[str, Any], number: int) -> Digest:
        self.where = f"[[digests]] number {number}"
        self.only(table, DIGEST_FIELDS)
        every = self.one_of(table, "every", ("day", "week"), "day")
        weekday = self.one_of(table, "weekday", WEEKDAYS, "mon")
        return Digest(
            name=self.text(table, "name") or f"every {every}",
            every=every,  # type: ignore[arg-type]
            receivers=self.receivers(table),
            at=self.clock(self.text(table, "at") or "07:00"),
            weekday=WEEKDAYS.index(weekday),
            zone=self.zone(table),
        )

    def receivers(self, table: dict[str, Any]) -> tuple[str, ...]:
        names = self.words(table, "receivers")
        if not names:
            self.wrong("receivers is missing; name at least one")
        for name in names:
            if name not in self.names:
                self.wrong(f"receivers: there is no [receivers.{name}]{_nearest(name, self.names)}")
        return names

    def hours(self, table: dict[str, Any]) -> Hours:
        start, dash, end = (self.text(table, "hours") or "00:00-24:00").partition("-")
        if not dash:
            self.wrong('hours: write them as "07:00-19:00"')
            return Hours()
        return Hours(self.clock(start), self.clock(end), self.weekdays(table), self.zone(table))

    def clock(self, text: str) -> time:
        match = _CLOCK.fullmatch(text.strip())
        if not match or (match[1] == "24" and match[2] != "00"):
            self.wrong(f"{text.strip()!r} is not a time of day; write it as 07:00")
            return time(0)
        return time(int(match[1]) % 24, int(match[2]))

    def weekdays(self, table: dict[str, Any]) -> frozenset[int]:
        days: set[int] = set()
        for word in self.words(table, "weekdays"):
            first, _, last = word.lower().partition("-")
            if first not in WEEKDAYS or (last and last not in WEEKDAYS):
                self.wrong(f'weekdays: {word!r} is not a day or range like "mon-fri"')
                continue
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            days |= {day % 7 for day in range(start, (end if end >= start else end + 7) + 1)}
        return frozenset(days) or EVERY_DAY

    def zone(self, table: dict[str, Any]) -> tzinfo:
        name = self.text(table, "tz")
        try:
            return ZoneInfo(name) if name else UTC
        except (KeyError, ValueError, OSError):
            self.wrong(f"tz: {name!r} is not a time zone; write it as Europe/Zurich")
            return UTC

    def one_of(self, table: dict[str, Any], key: str, allowed: tuple[str, ...], default: str) -> str:
        value = table.get(key, default if key != "kind" else None)
        if value in allowed:
            return str(value)
        self.wrong(f"{key}: {value!r} is none of {', '.join(allowed)}" if value else f"{key} is missing")
        return default

    def words(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        """A list of strings; one string stands for itself."""
        value = table.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
            self.wrong(f"{key}: write a list of words, not {value!r}")
            return ()
        return tuple(v.strip() for v in values)

    def text(self, table: dict[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip() or not value.isprintable()):
            self.wrong(f"{key}: write words, not {value!r}")
            return None
        return value

    def flag(self, table: dict[str, Any], key: str, *, default: bool) -> bool:
        value = table.get(key, default)
        if not isinstance(value, bool):
            self.wrong(f"{key}: write true or false, not {value!r}")
            return default
        return value

    def only(self, table: dict[str, Any], known: set[str]) -> None:
        for key in table.keys() - known:
            self.wrong(f"{key} means nothing here{_nearest(key, known)}")

    def numbered(self, document: dict[str, Any], section: str) -> list[tuple[int, dict[str, Any]]]:
        value = document.get(section, [])
        tables = [value] if isinstance(value, dict) else value
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.where = f"[[{section}]]"
            self.wrong("write it as tables")
            return []
        return list(enumerate(tables, 1))

    def wrong(self, what: str) -> None:
        self.mistakes.append(f"{self.where} {what}")

    def _repeated_digests(self, digests: tuple[Digest, ...]) -> None:
        """A digest is told once for its name and time: of two with one name the second would be taken for told."""
        names = [digest.name for digest in digests]
        for number, name in enumerate(names, 1):
            if name in names[: number - 1]:
                self.where = f"[[digests]] number {number}"
                self.wrong(f"has the name of another, {name!r}; give it a name of its own")

    def _misspelt_sections(self, document: dict[str, Any]) -> None:
        for name in document.keys() - set(SECTIONS) - {"rule", "rules"}:
            near = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.75)
            if near:
                self.where = f"[{name}]"
                self.wrong(f"is no section; did you mean {near[0]}?")


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
