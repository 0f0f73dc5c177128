"""The detector over a stretch of counts: a baseline each night, every tick tested, alerts followed. Pure.

`evaluate_counts` is the slow half (once), `walk` the quick one (again for every threshold that is tried).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.alerts import Change, Episode, advance
from pipeline.detect.baseline import Baseline, History, fit_baseline
from pipeline.detect.counts import TICK, TICKS_PER_DAY, TICKS_PER_HOUR, Counts, trailing_sums
from pipeline.detect.rules import Rule
from pipeline.detect.scene import HISTORY_DAYS
from pipeline.detect.spikes import CLUSTERING_OF_COUNTS, WINDOW_BONUS
from pipeline.detect.tails import TailBook
from pipeline.detect.tick import Crowd, Findings, Span, find, observe

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluated:
    """Findings of all ticks [S, T]; days of history that each series had at each day [S, D]."""

    counts: Counts
    crowd: Crowd
    findings: Findings
    days: FloatArray

    def tick_at(self, tick: int) -> datetime:
        """End of the windows that the tick closes."""
        return self.counts.start + TICK * (tick + 1)


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of one series at one tick."""

    tick: int
    series: int
    change: Change
    score: float


def evaluate_counts(counts: Counts, crowd: Crowd, *, count_only: bool = False) -> Evaluated:
    """Tests all ticks, each day against the baseline of the days before it; `counts` starts at a UTC midnight.

    `count_only`: there are no other stories to compare with; the tail of each series is calibrated instead.
    """
    sums = [trailing_sums(x) for x in (counts.negative, counts.other, counts.copies)]
    book = TailBook.empty(len(counts.series)) if count_only else None
    crowd = replace(crowd, clustering=CLUSTERING_OF_COUNTS) if count_only else crowd
    parts, days = [], []
    for day in range(counts.ticks // TICKS_PER_DAY):
        baseline = _baseline(counts, day, count_only)
        part = find(_day(counts, sums, day), baseline, crowd)
        if book is not None:
            part, book = _calibrate(part, book)
        parts.append(part)
        days.append(baseline.days)
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts], axis=-1) for f in fields(Findings)}
    return Evaluated(counts, crowd, Findings(**joined), np.stack(days, axis=1))


def walk(evaluated: Evaluated, crowd: Crowd | None = None) -> list[Moved]:
    """What becomes of every series, in the order of time; `crowd` brings other rules than those evaluated with."""
    crowd = crowd or evaluated.crowd
    moves = [move for i in range(len(crowd.rules)) for move in _walk_series(evaluated, crowd, i)]
    return sorted(moves, key=lambda m: (m.tick, m.series))


def market_alerts(evaluated: Evaluated, rule: Rule) -> NDArray[np.bool_]:
    """Ticks [T] at which a market-wide alert is open, by the life that `rule` gives it; a world has none of its own."""
    size = evaluated.findings.score.shape[1]
    plain = np.full((1, size), -np.inf)
    fields_of_one = {f.name: getattr(evaluated.findings, f.name)[:1] for f in fields(Findings)}
    alone = {**fields_of_one, "score": plain, "crossing": plain, "market": evaluated.findings.market}
    alone["no_data"] = np.zeros((1, size), dtype=bool)
    crowd = Crowd((rule,), np.zeros(1, dtype=bool), np.zeros(1, dtype=bool), 0, evaluated.crowd.market_factor)
    opened = np.zeros(size + 1, dtype=int)
    for move in _walk_series(replace(evaluated, findings=Findings(**alone)), crowd, 0):
        if move.change.kind in ("open", "reopen", "resolve"):
            opened[move.tick] += -1 if move.change.kind == "resolve" else 1
    return np.cumsum(opened)[:size] > 0


def states(evaluated: Evaluated, moves: list[Moved]) -> NDArray[np.str_]:
    """State of each series after each tick [S, T]."""
    size, end = len(evaluated.counts.series), evaluated.counts.ticks
    after = np.full((size, end), "inactive", dtype="U8")
    learning = evaluated.days < np.array([[rule.learn_days] for rule in evaluated.crowd.rules])
    after[np.repeat(learning, TICKS_PER_DAY, axis=1)] = "learning"
    after[evaluated.findings.no_data | evaluated.findings.unread] = "no_data"
    names = {"pending": "pending", "open": "firing", "reopen": "firing", "held": "held"}
    begun: dict[int, tuple[int, str]] = {}
    for move in [
        *moves,
        *(Moved(after.shape[1], i, Change("resolve", "warning"), 0.0) for i in range(len(after))),
    ]:
        if move.series in begun:
            start, name = begun.pop(move.series)
            after[move.series, start : move.tick] = name
        if move.change.kind in names:
            begun[move.series] = (move.tick, names[move.change.kind])
        elif move.change.kind == "rise":
            begun[move.series] = (move.tick, "firing")
    return after


def _walk_series(evaluated: Evaluated, crowd: Crowd, i: int) -> Iterator[Moved]:
    """What `advance` makes of one series; ticks at which it can make nothing are passed over."""
    rule = crowd.rules[i]
    if not rule.enabled:
        return
    size = evaluated.findings.score.shape[1]
    worth, crossings = _worth(evaluated, crowd, i), _crossings(evaluated, crowd, i)
    episode: Episode | None = None
    tick = -1
    while True:
        if episode is None or not episode.open:
            tick = _next(crossings, tick)
        elif episode.state == "held" and episode.quiet < rule.hold_hours * TICKS_PER_HOUR - 1:
            # nothing can come of a held episode before it is worth holding again or its hours are over
            ahead = min(
                tick + math.ceil(rule.hold_hours * TICKS_PER_HOUR) - episode.quiet, _next(worth, tick)
            )
            passed = ahead - tick - 1
            found = evaluated.findings
            data = passed - int((found.no_data | found.unread)[i, tick + 1 : ahead].sum())
            episode, tick = replace(episode, quiet=episode.quiet + data), ahead
        else:
            tick += 1
        if tick >= size:
            return
        seen = observe(evaluated.findings, crowd, i, tick, evaluated.tick_at(tick))
        episode, changes = advance(episode, seen, rule)
        for change in changes:
            yield Moved(tick, i, change, seen.score)


def _crossings(evaluated: Evaluated, crowd: Crowd, i: int) -> NDArray[np.int64]:
    """Ticks at which an episode may begin."""
    found, rule = evaluated.findings, crowd.rules[i]
    crossed = found.crossing[i] >= rule.warning
    return np.flatnonzero(crossed | (found.market >= crowd.market_factor) if i == crowd.whole else crossed)


def _worth(evaluated: Evaluated, crowd: Crowd, i: int) -> NDArray[np.int64]:
    """Ticks at which an open episode may be held or rise; all of them where the whole market counts too."""
    found, rule = evaluated.findings, crowd.rules[i]
    if i == crowd.whole:
        return np.arange(found.score.shape[1])
    seen = np.where(np.isfinite(found.crossing[i]), found.crossing[i], found.score[i])
    return np.flatnonzero(seen >= rule.warning * rule.hold_ratio)


def _next(ticks: NDArray[np.int64], after: int) -> int:
    """The first of `ticks` after one; beyond everything where there is none."""
    place = int(np.searchsorted(ticks, after + 1))
    return int(ticks[place]) if place < len(ticks) else 2**60


def _baseline(counts: Counts, day: int, count_only: bool) -> Baseline:
    as_of = counts.start + timedelta(days=day)
    first = max(0, day - HISTORY_DAYS) * TICKS_PER_DAY
    past = slice(first, max(day, 1) * TICKS_PER_DAY)

    def hourly(values: FloatArray) -> FloatArray:
        hours = values[:, past].reshape(len(values), -1, TICKS_PER_HOUR).sum(axis=2)
        return np.asarray(hours if day else np.zeros_like(hours))  # the first day has no past

    negative, other = hourly(counts.negative), hourly(counts.other)
    coverage = hourly(counts.coverage) / TICKS_PER_HOUR
    if not count_only:
        return fit_baseline(History(as_of, negative, other, coverage))
    fitted = fit_baseline(History(as_of, np.zeros_like(negative), negative, coverage))
    return replace(fitted, share=np.ones_like(fitted.share), share_cv2=np.zeros_like(fitted.share_cv2))


def _day(counts: Counts, sums: list[FloatArray], day: int) -> Span:
    start, end = day * TICKS_PER_DAY, (day + 1) * TICKS_PER_DAY
    before = max(0, start - TICKS_PER_DAY + 1)
    coverage = counts.coverage[:, before:end]
    missing = end - start + TICKS_PER_DAY - 1 - coverage.shape[1]
    coverage = np.concatenate([np.zeros((len(coverage), missing)), coverage], axis=1)
    negative, other, copies = (x[:, start:end] for x in sums)
    return Span(counts.start + TICK * end, negative, other, copies, coverage)


def _calibrate(findings: Findings, book: TailBook) -> tuple[Findings, TailBook]:
    plain = np.where(np.isfinite(findings.score), findings.score, 0.0) - WINDOW_BONUS[0]
    score = np.where(np.isfinite(findings.score), book.calibrate(plain), -np.inf)
    crossing = np.where(np.isfinite(findings.crossing), score, -np.inf)
    return replace(findings, score=score, crossing=crossing), book.after(plain)
