"""How good a detector was in a world with a known truth, and the thresholds that keep to an alarm budget. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.detect.counts import TICKS_PER_DAY, TICKS_PER_HOUR
from pipeline.detect.course import Evaluated, Moved, market_alerts, walk
from pipeline.detect.rules import Rule
from pipeline.detect.simulate import Event, Truth
from pipeline.detect.tick import Crowd

# False alarms per series and month (30 days): what a warning and a critical alert may cost.
WARNING_BUDGET = 0.5
CRITICAL_BUDGET = 0.1
# An alert so long after a spike ended still belongs to it: half the longest window.
GRACE_TICKS = 12 * TICKS_PER_HOUR
# Thresholds between which a budget is looked for, and halvings of that range (3 decimals).
THRESHOLDS = (0.5, 20.0)
HALVINGS = 14


@dataclass(frozen=True)
class Judgement:
    """Recall and F1 over the planted spikes, median delay in hours, and what the alarms cost."""

    recall: float
    precision: float
    f1: float
    delay_hours: float
    false_alarms: float
    notifications: float
    on_market_days: int
    by_kind: dict[str, float]
    false_by_cause: dict[str, int]


def judge(evaluated: Evaluated, moves: list[Moved], truth: Truth, first_tick: int) -> Judgement:
    """Judges what was told from `first_tick` on: openings, and rises for spikes that met an open alert.

    False alarms and notifications (openings) are per series and month of 30 days. Openings on market-wide bad days
    are counted apart, less the warnings that the market-wide alert stands for.
    """
    opened = [(m.series, m.tick) for m in moves if m.change.kind == "open"]
    risen = [(m.series, m.tick) for m in moves if m.change.kind == "rise"]
    openings, rises = _by_series(opened), _by_series(risen)
    hits = {id(e): _hits(e, openings) for e in truth.spikes}
    told = {id(e): sorted(hits[id(e)] + _hits(e, rises)) for e in truth.spikes}
    delays = [(told[id(e)][0] + 1 - e.start) / TICKS_PER_HOUR for e in truth.spikes if told[id(e)]]
    true = {(e.series, t) for e in truth.spikes for t in hits[id(e)]}
    bad_days = [e for e in truth.nuisances if e.kind == "market"]
    wrong = [(i, t) for i, t in opened if t >= first_tick and (i, t) not in true]
    under = market_alerts(evaluated, Rule())
    held_back = {(m.series, m.tick) for m in moves if under[m.tick] and m.change.severity == "warning"}
    on_bad_days = [x for x in wrong if _any_covers(bad_days, x[1]) and x not in held_back]
    false = [(i, t) for i, t in wrong if not _any_covers(bad_days, t)]
    found, size = len(delays), len(truth.spikes)
    months = (evaluated.counts.ticks - first_tick) / TICKS_PER_DAY / 30 * len(evaluated.counts.series)
    recall, precision = found / max(1, size), found / max(1, found + len(false))
    kinds = sorted({e.kind for e in truth.spikes})
    return Judgement(
        recall,
        precision,
        2 * recall * precision / max(1e-9, recall + precision),
        float(np.median(delays)) if delays else float("nan"),
        len(false) / months,
        sum(1 for _, t in opened if t >= first_tick) / months,
        len(on_bad_days),
        {k: float(np.mean([bool(told[id(e)]) for e in truth.spikes if e.kind == k])) for k in kinds},
        dict(Counter(_nuisance(truth, i, t) for i, t in false)),
    )


def fit_to_budget(false_alarms: Callable[[float], float], budget: float) -> float:
    """The lowest threshold whose false alarms keep to the budget; these may only fall as it rises."""
    low, high = THRESHOLDS
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if false_alarms(middle) > budget:
            low = middle
        else:
            high = middle
    return math.ceil(high * 1000) / 1000  # rounded down it would cost more than the budget


def fit_thresholds(evaluated: Evaluated, truth: Truth, first_tick: int, rule: Rule) -> Rule:
    """`rule` with both thresholds fitted to their budgets in a world with a known truth."""

    def cost(candidate: Rule) -> float:
        return judge(
            evaluated, walk(evaluated, with_rule(evaluated.crowd, candidate)), truth, first_tick
        ).false_alarms

    return fit_both(cost, rule)


def fit_both(cost: Callable[[Rule], float], rule: Rule) -> Rule:
    """`rule` with both thresholds fitted to their budgets: critical alone first, then warning under it.

    `cost`: false alarms of a rule per series and month.
    """
    critical = fit_to_budget(lambda s: cost(replace(rule, warning=s, critical=s)), CRITICAL_BUDGET)
    warning = fit_to_budget(
        lambda s: cost(replace(rule, warning=s, critical=max(s, critical))), WARNING_BUDGET
    )
    return replace(rule, warning=warning, critical=max(warning, critical))


def with_rule(crowd: Crowd, rule: Rule) -> Crowd:
    """The same crowd, all by one rule."""
    return replace(crowd, rules=(rule,) * len(crowd.rules))


def _by_series(alarms: list[tuple[int, int]]) -> dict[int, list[int]]:
    ticks: dict[int, list[int]] = {}
    for series, tick in alarms:
        ticks.setdefault(series, []).append(tick)
    return ticks


def _hits(event: Event, alarms: dict[int, list[int]]) -> list[int]:
    return [t for t in alarms.get(event.series, ()) if event.start <= t < event.end + GRACE_TICKS]


def _any_covers(events: list[Event], tick: int) -> bool:
    return any(e.start <= tick < e.end + GRACE_TICKS for e in events)


def _nuisance(truth: Truth, series: int, tick: int) -> str:
    """The nuisance that was going on in the series, or `chance`."""
    for event in truth.nuisances:
        if event.series in (series, -1) and event.start <= tick < event.end + TICKS_PER_DAY:
            return event.kind
    return "chance"
