"""The life of an alert, as a pure state machine: pending, firing, held, resolved.

`advance` takes one tick of one Series and says what becomes of its episode and what there is to tell. Time counts in
ticks that had data: *no data* freezes an episode, it neither opens nor resolves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pipeline.detect.counts import TICK, TICKS_PER_HOUR
from pipeline.detect.rules import Rule
from pipeline.types import Severity

State = Literal["pending", "firing", "held", "resolved"]
ChangeKind = Literal["pending", "open", "rise", "held", "resolve", "reopen", "drop"]
Cause = Literal["new_feed", "model_promotion", "backfill", "one_source", "market_wide"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a tick says of a series. `enough`: some window has the evidence that the rule asks for."""

    tick_at: datetime
    score: float
    enough: bool
    no_data: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert between two ticks.

    `crossings`: ticks in a row above the threshold while pending; `quiet`: ticks with data since the score was last
    worth holding; `silent`: reopened, so people who were told of its end believe it resolved until the severity rises.
    """

    state: State
    severity: Severity
    pending_at: datetime
    last_crossed_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    crossings: int = 1
    quiet: int = 0
    reopened: int = 0
    silent: bool = False
    peak: float = 0.0

    @property
    def open(self) -> bool:
        return self.state != "resolved"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history; `tell` where people may have to know."""

    kind: ChangeKind
    severity: Severity
    tell: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What besides the figures decides whether an alert is told."""

    learning: bool = False
    silenced: bool = False
    cause: Cause | None = None
    under_market: bool = False


def advance(
    episode: Episode | None, seen: Observation, rule: Rule
) -> tuple[Episode | None, tuple[Change, ...]]:
    """The episode after the tick, and what changed. Same input, same output."""
    if seen.no_data:
        return episode, ()
    if episode is not None and episode.open and episode.state != "pending":
        return _go_on(episode, seen, rule)
    crossed = seen.enough and seen.score >= rule.warning
    if episode is not None and episode.state == "pending":
        return _confirm(episode, seen, rule) if crossed else _drop(episode, seen)
    if not crossed:
        return episode, ()
    if episode is not None and _may_reopen(episode, seen, rule):
        return _reopen(episode, seen, rule)
    begun = Episode("pending", severity_of(seen, rule), seen.tick_at, seen.tick_at, peak=seen.score)
    return _fire_or_wait(begun, rule, (Change("pending", begun.severity),))


def severity_of(seen: Observation, rule: Rule) -> Severity:
    """Critical needs the evidence besides the score; everything else is a warning."""
    return "critical" if seen.enough and seen.score >= rule.critical else "warning"


def may_tell(severity: Severity, around: Circumstances) -> bool:
    """Whether an opening or a rise is told at all; routes and quiet hours come after.

    While learning, with a cause that is no news, or under a market-wide alert only what is critical is told; a
    silence holds back everything and says so when it ends.
    """
    if around.silenced or in_doubt(severity, around):
        return False
    return severity == "critical" or not around.under_market


def in_doubt(severity: Severity, around: Circumstances) -> bool:
    """Whether too short a history or a cause that is no news holds it back; both may pass while it fires."""
    return severity != "critical" and (around.learning or around.cause not in (None, "market_wide"))


def as_unbroken(episode: Episode) -> Episode:
    """A reopened episode whose end nobody was told of yet: for people it went on, so its next end is told."""
    return replace(episode, silent=False)


def as_opening(episode: Episode, changes: tuple[Change, ...]) -> tuple[Episode, tuple[Change, ...]]:
    """What `advance` said, where nobody was told of the alert so far: nobody believes it resolved, so its reopening
    is to be told like an opening. One that rises in the same tick is told by the rise."""
    if [c.kind for c in changes] != ["reopen"]:
        return episode, changes
    return replace(episode, silent=False), (replace(changes[0], tell=True),)


def to_memory(episode: Episode) -> dict[str, Any]:
    """JSON-able form; `from_memory` is its inverse."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(episode).items()}


def from_memory(memory: Mapping[str, Any]) -> Episode:
    """The episode that `to_memory` wrote."""
    fields = dict(memory)
    for name in ("pending_at", "last_crossed_at", "fired_at", "resolved_at"):
        fields[name] = datetime.fromisoformat(fields[name]) if fields.get(name) else None
    return Episode(**fields)


def _fire_or_wait(
    episode: Episode, rule: Rule, before: tuple[Change, ...] = ()
) -> tuple[Episode, tuple[Change, ...]]:
    if episode.severity != "critical" and episode.crossings < rule.pending_ticks:
        return episode, before
    fired = replace(episode, state="firing", fired_at=episode.last_crossed_at)
    return fired, (*before, Change("open", episode.severity, tell=True))


def _confirm(episode: Episode, seen: Observation, rule: Rule) -> tuple[Episode, tuple[Change, ...]]:
    crossed = replace(
        episode,
        crossings=episode.crossings + 1,
        last_crossed_at=seen.tick_at,
        severity=severity_of(seen, rule),
        peak=max(episode.peak, seen.score),
    )
    return _fire_or_wait(crossed, rule)


def _drop(episode: Episode, seen: Observation) -> tuple[Episode, tuple[Change, ...]]:
    dropped = replace(episode, state="resolved", resolved_at=seen.tick_at)
    return dropped, (Change("drop", episode.severity),)


def _may_reopen(episode: Episode, seen: Observation, rule: Rule) -> bool:
    ended = episode.resolved_at
    return (
        episode.fired_at is not None
        and ended is not None
        and seen.tick_at - ended <= timedelta(hours=rule.reopen_hours)
    )


def _reopen(episode: Episode, seen: Observation, rule: Rule) -> tuple[Episode, tuple[Change, ...]]:
    again = replace(
        episode,
        state="firing",
        resolved_at=None,
        last_crossed_at=seen.tick_at,
        quiet=0,
        reopened=episode.reopened + 1,
        silent=True,
        peak=max(episode.peak, seen.score),
    )
    risen, changes = _rise(again, seen, rule)
    return risen, (Change("reopen", episode.severity), *changes)


def _rise(episode: Episode, seen: Observation, rule: Rule) -> tuple[Episode, tuple[Change, ...]]:
    if episode.severity == "critical" or severity_of(seen, rule) == "warning":
        return episode, ()
    return replace(episode, severity="critical", silent=False), (Change("rise", "critical", tell=True),)


def _go_on(episode: Episode, seen: Observation, rule: Rule) -> tuple[Episode, tuple[Change, ...]]:
    crossed = seen.enough and seen.score >= rule.warning
    worth_holding = seen.score >= rule.warning * rule.hold_ratio
    quiet = 0 if worth_holding else episode.quiet + 1
    if quiet >= rule.hold_hours * TICKS_PER_HOUR:
        ended = replace(episode, state="resolved", resolved_at=seen.tick_at, quiet=quiet)
        return ended, (Change("resolve", episode.severity, tell=not episode.silent),)
    state: State = "firing" if crossed else "held"
    went_on = replace(
        episode,
        state=state,
        quiet=quiet,
        last_crossed_at=seen.tick_at if worth_holding else episode.last_crossed_at,
        peak=max(episode.peak, seen.score),
    )
    first_held = state == "held" and episode.state == "firing"
    risen, changes = _rise(went_on, seen, rule)
    return risen, ((Change("held", episode.severity),) if first_held else ()) + changes


def tick_before(at: datetime) -> datetime:
    """The newest tick not after `at`."""
    return at - timedelta(seconds=at.timestamp() % TICK.total_seconds())
