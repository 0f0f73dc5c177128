"""One simulated world, judged: thresholds fitted on its own judged months, and kept from their first half to the second."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.detect.counts import TICKS_PER_DAY, Counts
from pipeline.detect.course import Evaluated, Moved, evaluate_counts, walk
from pipeline.detect.judge import (
    CRITICAL_BUDGET,
    WARNING_BUDGET,
    Judgement,
    fit_thresholds,
    judge,
    with_rule,
)
from pipeline.detect.rules import Rule
from pipeline.detect.simulate import Truth, World, simulate_world
from pipeline.detect.tick import everyone


@dataclass(frozen=True)
class Trial:
    """`kept_*`: false alarms on the second half of the months, as a multiple of the budget they were fitted to on
    the first half. `brought_*`: on all months at thresholds that were brought from elsewhere; None without such."""

    seed: int
    rule: Rule
    warning: Judgement
    critical: Judgement
    kept_warning: float
    kept_critical: float
    brought_warning: float | None = None
    brought_critical: float | None = None


def simulate_and_judge(
    seed: int, series: int = 150, rule: Rule | None = None, brought: Rule | None = None
) -> Trial:
    """Draws the world of `seed` (4 spikes per series), tests it, fits both thresholds and judges them.

    `brought`: thresholds fitted in other worlds, whose false alarms in this one are counted too.
    """
    world = World(seed=seed, series=series, spikes=4 * series)
    counts, truth = simulate_world(world)
    rule = rule or Rule()
    missed = 1 / world.copies_found - 1  # the detector is told how many copies are missed there
    evaluated = evaluate_counts(counts, everyone([rule] * series, missed_copies=missed), count_only=False)
    first = world.warm_up_weeks * 7 * TICKS_PER_DAY
    middle = (first + counts.ticks) // 2
    fitted = fit_thresholds(evaluated, truth, first, rule)
    early = fit_thresholds(_until(evaluated, middle), _clip(truth, 0, middle), first, rule)

    def found(tried: Rule, start: int) -> Judgement:
        return judge(evaluated, _moves(evaluated, tried), truth, start)

    def spent(tried: Rule, start: int) -> tuple[float, float]:
        critical = found(replace(tried, warning=tried.critical), start)
        return (
            found(tried, start).false_alarms / WARNING_BUDGET,
            critical.false_alarms / CRITICAL_BUDGET,
        )

    return Trial(
        seed,
        fitted,
        found(fitted, first),
        found(replace(fitted, warning=fitted.critical), first),
        *spent(early, middle),
        *(spent(brought, first) if brought else (None, None)),
    )


def _moves(evaluated: Evaluated, rule: Rule) -> list[Moved]:
    return walk(evaluated, with_rule(evaluated.crowd, rule))


def _until(evaluated: Evaluated, tick: int) -> Evaluated:
    found = evaluated.findings
    cut = {name: value[..., :tick] for name, value in vars(found).items()}
    counts = evaluated.counts
    short = Counts(
        counts.start,
        counts.series,
        *(x[:, :tick] for x in (counts.negative, counts.other, counts.coverage, counts.copies)),
    )
    return replace(evaluated, counts=short, findings=replace(found, **cut))


def _clip(truth: Truth, start: int, end: int) -> Truth:
    return Truth(tuple(e for e in truth.spikes if start <= e.start < end), truth.nuisances)
