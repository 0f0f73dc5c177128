"""Which alerts a model would have raised in the last weeks: its verdicts through the detector's own arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import numpy as np

from pipeline.detect.alerts import Circumstances, Episode, may_tell
from pipeline.detect.baseline import fit_baseline
from pipeline.detect.counts import TICK, TICKS_PER_DAY, trailing_sums
from pipeline.detect.night import midnight
from pipeline.detect.rules import Rules
from pipeline.detect.scene import make_crowd, make_history
from pipeline.detect.tick import Crowd, Span, find, follow
from pipeline.label.arrivals import QuarterCount, Raised
from pipeline.label.gate import Replay
from pipeline.types import Series

# Two alerts of one series this far apart are the same event told a little earlier or later.
SAME_EVENT = timedelta(hours=24)


def replay_alerts(
    series: Sequence[tuple[Series, datetime]],
    quarters: Sequence[QuarterCount],
    rules: Rules,
    days: Sequence[date],
) -> list[Raised]:
    """Alerts on `days` (in order) when `quarters` had been counted; each day's baseline is made of the days before.

    Feeds are taken as healthy throughout: both models are replayed on the same arrivals.
    """
    crowd = make_crowd([s for s, _ in series], rules)
    episodes: dict[int, Episode] = {}
    raised: list[Raised] = []
    for day in days:
        raised += _replay_day(series, quarters, crowd, day, episodes)
    return raised


def _replay_day(
    series: Sequence[tuple[Series, datetime]],
    quarters: Sequence[QuarterCount],
    crowd: Crowd,
    day: date,
    episodes: dict[int, Episode],
) -> Iterable[Raised]:
    start = midnight(day)
    hours = [
        (q.series_id, q.at.replace(minute=0), q.negative_all, q.other_all) for q in quarters if q.at < start
    ]
    baseline = fit_baseline(make_history(series, day, hours, {}))
    span = _span(series, quarters, start)
    findings = find(span, baseline, crowd)
    raised = []
    for tick in range(TICKS_PER_DAY):
        tick_at = start + (tick + 1) * TICK
        for i, (episode, changes) in follow(findings, crowd, episodes, tick_at, tick).items():
            episodes[i] = episode
            around = Circumstances(learning=bool(baseline.days[i] < crowd.rules[i].learn_days))
            if any(c.kind == "open" and may_tell(c.severity, around) for c in changes):
                raised.append(Raised(series[i][0].id, tick_at))
    return raised


def _span(
    series: Sequence[tuple[Series, datetime]], quarters: Sequence[QuarterCount], start: datetime
) -> Span:
    """The day from `start` on with the day before it, whose counts its first windows still hold."""
    index = {s.id: i for i, (s, _) in enumerate(series)}
    counts = np.zeros((2, len(series), 2 * TICKS_PER_DAY))
    for q in quarters:
        place = int((q.at - start) / TICK) + TICKS_PER_DAY if q.at >= start - timedelta(days=1) else -1
        if 0 <= place < 2 * TICKS_PER_DAY and q.series_id in index:
            counts[:, index[q.series_id], place] += (q.negative, q.other)
    negative, other = (trailing_sums(c)[:, TICKS_PER_DAY:] for c in counts)
    coverage = np.ones((len(series), 2 * TICKS_PER_DAY - 1))
    return Span(start + timedelta(days=1), negative, other, np.zeros_like(negative), coverage)


def days_of_history(quarters: Sequence[QuarterCount], as_of: datetime) -> int:
    """UTC days before that of `as_of` since the first story of `quarters`, its own included."""
    first = min((q.at for q in quarters), default=as_of)
    return (as_of.date() - first.date()).days


def compare_alerts(
    days: int,
    champion: Sequence[Raised],
    challenger: Sequence[Raised],
    useful: Sequence[Raised],
    *,
    history_days: int,
) -> Replay:
    """Both lists for the gate; `useful` are alerts that people called so.

    One that the champion's replay does not raise either says nothing of the challenger: the history that was replayed
    may be too short for it, or feeds, rules and champion were others when it fired.
    """
    judged = [alert for alert in useful if _raised(alert, champion)]
    missed = sum(not _raised(alert, challenger) for alert in judged)
    return Replay(days, len(champion), len(challenger), len(judged), missed, len(useful), history_days)


def _raised(alert: Raised, raised: Sequence[Raised]) -> bool:
    return any(_same(alert, other) for other in raised)


def _same(one: Raised, other: Raised) -> bool:
    return one.series_id == other.series_id and abs(one.at - other.at) <= SAME_EVENT
