"""Who is told of an alert, and when: receivers, routes, quiet hours and digests. Pure.

A route that matches adds its receivers; all routes are asked. Quiet hours put a message off, they never drop it.
Whoever was told that an alert opened is told how it goes on, whatever the routes say by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Literal

from pipeline.types import SeriesKind, Severity

ReceiverKind = Literal["email", "slack", "apprise"]
EVERY_DAY = frozenset(range(7))
RANK: Mapping[str, int] = {"warning": 0, "critical": 1}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where an alert is told. `to` for email, `channel` for Slack, `url_setting` names the Apprise address."""

    name: str
    kind: ReceiverKind
    to: tuple[str, ...] = ()
    channel: str | None = None
    url_setting: str | None = None
    zone: tzinfo = UTC
    keeps_quiet_hours: bool = True


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the week in a zone: [start, end) on `weekdays` (0 is Monday); end <= start runs into the next day."""

    start: time = time(0)
    end: time = time(0)
    weekdays: frozenset[int] = EVERY_DAY
    zone: tzinfo = UTC

    def contain(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        now, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.weekdays and self.start <= now < self.end
        yesterday = (today - 1) % 7
        return (today in self.weekdays and now >= self.start) or (
            yesterday in self.weekdays and now < self.end
        )

    def end_after(self, at: datetime) -> datetime:
        """The next moment, UTC, at which these hours end; `at` lies in them."""
        local = at.astimezone(self.zone)
        days = 1 if self.end <= local.time() else 0
        wall = datetime.combine(local.date() + timedelta(days=days), self.end, tzinfo=self.zone)
        return wall.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours in which messages wait; a critical one passes where `critical_passes`."""

    hours: Hours
    critical_passes: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts that match are told to `receivers`. Empty `kinds` or `keys` match all; keys may hold * and ?."""

    name: str
    receivers: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    severity: Severity = "warning"
    hours: Hours = Hours()

    def matches(self, series_kind: str, series_key: str, severity: str, at: datetime) -> bool:
        """Whether the route wants such an alert; keys may hold * and ?, case does not matter, `severity` is the least."""
        return (
            (not self.kinds or series_kind in self.kinds)
            and (not self.keys or any(fnmatchcase(series_key.lower(), key.lower()) for key in self.keys))
            and RANK[severity] >= RANK[self.severity]
            and self.hours.contain(at)
        )


@dataclass(frozen=True, slots=True)
class Digest:
    """A summary each day or week at a local time, weekly ones on `weekday` (0 is Monday)."""

    name: str
    every: Literal["day", "week"]
    receivers: tuple[str, ...]
    at: time = time(7)
    weekday: int = 0
    zone: tzinfo = UTC

    def last_due(self, as_of: datetime) -> datetime:
        """The newest time, UTC, not after `as_of` at which it falls due."""
        day = as_of.astimezone(self.zone).date()
        for back in range(9):  # a time that the clock skips may come after midnight, on the next day
            wall = datetime.combine(day - timedelta(days=back), self.at, tzinfo=self.zone)
            if wall <= as_of and (self.every == "day" or wall.weekday() == self.weekday):
                return wall.astimezone(UTC)
        raise AssertionError("a week has every weekday")

    def start_of(self, end: datetime) -> datetime:
        """Where the period that ends at `end` begins, UTC: where the one before ended.

        That is the due time before, 23 or 25 hours earlier on days when the clock changes; for an `end` that is none
        (it is looked at beforehand) the same time by the clock, a day or a week earlier.
        """
        end = end.astimezone(UTC)
        if end == self.last_due(end):
            return self.last_due(end - timedelta(microseconds=1))
        wall = end.astimezone(self.zone) - timedelta(days=1 if self.every == "day" else 7)
        return wall.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Routing:
    """What alerts.toml says of telling people."""

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    digests: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver, not before a time, UTC."""

    receiver: str
    not_before_at: datetime


def route(
    routing: Routing,
    series_kind: SeriesKind,
    series_key: str,
    severity: Severity,
    as_of: datetime,
    *,
    told: Collection[str] = (),
    resolved: bool = False,
) -> list[Delivery]:
    """Receivers of one event of an alert, in the order of the routes.

    `told`: receivers that were told of the alert before; they hear of what follows. A resolve goes to them alone and
    is never urgent: quiet hours put it off even where critical alerts pass.
    """
    matching = (
        [] if resolved else [r for r in routing.routes if r.matches(series_kind, series_key, severity, as_of)]
    )
    names = dict.fromkeys([name for r in matching for name in r.receivers] + sorted(told))
    urgent = severity == "critical" and not resolved
    known = [routing.receivers[name] for name in names if name in routing.receivers]
    return [Delivery(r.name, send_after(routing, r, as_of, urgent=urgent)) for r in known]


def send_after(routing: Routing, receiver: Receiver, as_of: datetime, *, urgent: bool = False) -> datetime:
    """`as_of`, or the end of the quiet hours that it falls into."""
    if not receiver.keeps_quiet_hours:
        return as_of
    at = as_of
    for _ in range(
        4 * len(EVERY_DAY)
    ):  # blocks that touch are left one by one; a file of nothing but quiet ends here
        holding = (q for q in routing.quiet_hours if not (urgent and q.critical_passes))
        block = next((q for q in holding if q.hours.contain(at)), None)
        if block is None:
            break
        at = block.hours.end_after(at)
    return at


def audience(routing: Routing, series_kind: str | None, series_key: str | None) -> list[Receiver]:
    """Receivers that could ever be told of a series (None: of any), for what is told of a silence."""
    matching = [
        r
        for r in routing.routes
        if (series_kind is None or not r.kinds or series_kind in r.kinds)
        and (
            series_key is None
            or not r.keys
            or any(fnmatchcase(series_key.lower(), k.lower()) for k in r.keys)
        )
    ]
    names = dict.fromkeys(name for r in matching for name in r.receivers)
    return [routing.receivers[name] for name in names if name in routing.receivers]


def uncovered(routing: Routing, series_kind: SeriesKind, as_of: datetime) -> list[datetime]:
    """Hours of the week after `as_of`, UTC, in which a critical alert of `series_kind` would reach nobody.

    A gap that is going on at `as_of` comes last, whole, as that of a week later.
    """
    start = as_of.replace(minute=0, second=0, microsecond=0)
    catch_all = [r for r in routing.routes if not r.keys]
    hours = [start + timedelta(hours=n) for n in range(7 * 24)]
    told = [any(r.matches(series_kind, "", "critical", at) for r in catch_all) for at in hours]
    if any(told) and not told[-1]:
        first = told.index(True)
        hours = hours[first:] + [at + timedelta(days=7) for at in hours[:first]]
        told = told[first:] + told[:first]
    return [at for at, covered in zip(hours, told, strict=True) if not covered]


def always_quiet(quiet_hours: Collection[QuietHours]) -> bool:
    """True where no quarter of an hour of a week is left to send anything in."""
    start = datetime(2024, 1, 1, tzinfo=UTC)  # any Monday
    quarters = (start + timedelta(minutes=15 * n) for n in range(7 * 24 * 4))
    return all(any(q.hours.contain(at) for q in quiet_hours) for at in quarters)


def ranges(hours: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Adjacent full hours joined to [start, end) ranges."""
    start = previous = None
    for at in hours:
        if start is None or previous is None or at - previous != timedelta(hours=1):
            if start is not None and previous is not None:
                yield start, previous + timedelta(hours=1)
            start = at
        previous = at
    if start is not None and previous is not None:
        yield start, previous + timedelta(hours=1)
