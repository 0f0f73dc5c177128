"""Replay: the detector over stored history, by the live rules or others. Reads only; nobody is told.

Where a tick was evaluated live, its own baseline, feeds and counts are used, so the same rules give the same alerts.
Before that (an imported archive), counts are taken as published and baselines are built as the nights would have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.alerts import tick_before
from pipeline.detect.baseline import fit_baseline, to_parameters
from pipeline.detect.counts import TICK, TICKS_PER_DAY, Counts, trailing_sums
from pipeline.detect.course import Evaluated, Moved, walk
from pipeline.detect.coverage import ticks_between
from pipeline.detect.judge import fit_both, with_rule
from pipeline.detect.night import midnight, read_night
from pipeline.detect.rules import Rule, Rules
from pipeline.detect.scene import HISTORY_DAYS, Scene, make_crowd, make_history, make_scene, make_span
from pipeline.detect.tick import Findings, find
from pipeline.errors import UsageError
from pipeline.store import alerts, baselines, spikes, windows
from pipeline.store.baselines import StoredBaseline
from pipeline.store.engine import Connection, Engine
from pipeline.store.spikes import StoredTick
from pipeline.types import Series

FloatArray = NDArray[np.float64]

DAYS_PER_MONTH = 30.0
# An alert of the replay and a live one are the same when they open within half a day of each other.
SAME_ALERT = timedelta(hours=12)


@dataclass(frozen=True)
class Stored:
    """What the database holds of [start, end): counts per quarter [3, S, Q] from a day before, live and with history."""

    start: datetime
    end: datetime
    series: tuple[tuple[Series, datetime], ...]
    live: FloatArray
    whole: FloatArray
    ticks: Mapping[datetime, StoredTick]


def replay_history(
    engine: Engine, tried: Rules, live: Rules, start: datetime, end: datetime, *, fit: bool
) -> dict[str, Any]:
    """The report of `undertow replay`: alerts, per week, against those told live and against the live rules."""
    with engine.connect() as connection:
        overrides = windows.read_overrides(connection)
        tried, live = tried.with_overrides(overrides), live.with_overrides(overrides)
        stored = read_stored(connection, start, end)
        evaluated = evaluate_stored(connection, stored, tried)
        known = alerts.read_opened(connection, start, end)
        moves = walk(evaluated)
        report = _report(evaluated, moves, known, stored)
        report["rule"] = tried.version
        if tried.version != live.version:
            report |= _against(evaluated, moves, walk(evaluate_stored(connection, stored, live)))
    if fit:
        report["fitted"] = _fit(evaluated, known, tried.rule, stored)
    return report


def history_lines(evaluated: Evaluated, moves: list[Moved], series: tuple[Series, ...]) -> list[str]:
    """Every change as one line, the same as `alerts.read_history_lines` gives of the live ones."""
    lines = []
    for move in moves:
        s, found = series[move.series], evaluated.findings
        at = evaluated.tick_at(move.tick).isoformat()
        figures = (
            f"{int(found.negative[move.series, move.tick])} {int(found.other[move.series, move.tick])}"
            f" {float(found.expected[move.series, move.tick]):.6g}"
        )
        lines.append(f"{at} {s.kind}/{s.key} {move.change.kind} {move.change.severity} {figures}")
    return sorted(lines)


def read_stored(connection: Connection, start: datetime, end: datetime) -> Stored:
    """Counts, ticks and series of the quarters in [start, end). Raises UsageError where there are none."""
    start, end = tick_before(start), tick_before(end)
    series = tuple(windows.list_series(connection))
    before = start - timedelta(days=1)
    size = round((end - before) / TICK)
    index = {s.id: i for i, (s, _) in enumerate(series)}
    live, whole = np.zeros((3, len(series), size)), np.zeros((3, len(series), size))
    for count in windows.read_quarters(connection, before, end):
        at = round((count.at - before) / TICK)
        live[:, index[count.series_id], at] = (count.negative, count.other, count.copies)
        whole[:, index[count.series_id], at] = (
            count.negative + count.negative_history,
            count.other + count.other_history,
            count.copies,
        )
    if not whole.any():
        raise UsageError(
            f"nothing was counted between {start:%Y-%m-%d} and {end:%Y-%m-%d}",
            "choose other dates, or run `undertow detect` first",
        )
    ticks = {t.tick_at: t for t in spikes.read_ticks(connection, start - timedelta(days=1), end)}
    return Stored(start, end, series, live, whole, ticks)


def evaluate_stored(connection: Connection, stored: Stored, rules: Rules) -> Evaluated:
    """Tests every tick in (start, end] by `rules`."""
    everyone = [s for s, _ in stored.series]
    crowd = make_crowd(everyone, rules)
    sums = {True: _sums(stored.live), False: _sums(stored.whole)}
    scenes: dict[object, Scene] = {}
    parts, days = [], []
    exceptions = {at: tick.feeds for at, tick in stored.ticks.items()}
    for n, tick_at in enumerate(ticks_between(stored.start + TICK, stored.end)):
        tick = stored.ticks.get(tick_at)
        key: object = (tick.baseline_id, tick.series) if tick else (tick_at - TICK).date()
        if key not in scenes:
            scenes[key] = _scene(connection, stored, tick, tick_at, rules)
        scene = scenes[key]
        place = n + TICKS_PER_DAY
        trailing = {s.id: tuple(sums[tick is not None][:, i, place].ravel()) for i, s in enumerate(everyone)}
        seen = exceptions if tick else {}
        unseen, unread = (tick.unseen, tick.unread) if tick else (1.0, 0.0)
        span = make_span(scene, tick_at, trailing, seen, unseen, unread)
        parts.append(_widen(find(span, scene.baseline, scene.crowd), scene, everyone))
        if n % TICKS_PER_DAY == 0:
            days.append(_widen_days(scene, everyone))
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts], axis=-1) for f in fields(Findings)}
    judged = stored.whole[:, :, TICKS_PER_DAY:]
    counts = Counts(
        stored.start, tuple(s.key for s in everyone), judged[0], judged[1], np.ones_like(judged[0]), judged[2]
    )
    return Evaluated(counts, crowd, Findings(**joined), np.stack(days, axis=1))


def _sums(counts: FloatArray) -> FloatArray:
    return np.stack([trailing_sums(layer) for layer in counts])


def _scene(
    connection: Connection, stored: Stored, tick: StoredTick | None, tick_at: datetime, rules: Rules
) -> Scene:
    """The scene of a tick: as it was live, or as the night before would have made it."""
    if tick is not None and tick.baseline_id is not None:
        night = read_night(baselines.get_baseline(connection, tick.baseline_id))
        return make_scene([s for s, _ in stored.series][: tick.series], night, rules)
    day = (tick_at - TICK).date()
    start, end = midnight(day) - timedelta(days=HISTORY_DAYS), midnight(day)
    models = windows.stories_by_model(connection, start, start, end)
    hours = [
        (c.series_id, c.at, c.negative, c.other)
        for model_id in list(models)[:1]
        for c in windows.read_hours(connection, model_id, start, end)
    ]
    baseline = fit_baseline(make_history(stored.series, day, hours, {}))
    parameters = {s.id: to_parameters(baseline, i) for i, (s, _) in enumerate(stored.series)}
    before = StoredBaseline(0, day, end, 0, {}, None, parameters)
    return make_scene([s for s, _ in stored.series], read_night(before), rules)


def _widen(part: Findings, scene: Scene, everyone: list[Series]) -> Findings:
    """Findings of all series; those that were not watched yet had no data."""
    missing = len(everyone) - len(scene.series)
    if not missing:
        return part
    wide = {}
    for f in fields(Findings):
        value = getattr(part, f.name)
        if value.ndim == 2:
            fill = {"score": -np.inf, "crossing": -np.inf, "no_data": True, "p": 1.0}.get(f.name, 0)
            value = np.concatenate([value, np.full((missing, value.shape[1]), fill, dtype=value.dtype)])
        wide[f.name] = value
    return Findings(**wide)


def _widen_days(scene: Scene, everyone: list[Series]) -> FloatArray:
    return np.concatenate([scene.baseline.days, np.zeros(len(everyone) - len(scene.series))])


def _report(
    evaluated: Evaluated, moves: list[Moved], known: list[dict[str, Any]], stored: Stored
) -> dict[str, Any]:
    opened = [m for m in moves if m.change.kind == "open"]
    weeks = Counter(evaluated.tick_at(m.tick).strftime("%G-W%V") for m in opened)
    rows = [_row(evaluated, m, known, stored) for m in opened]
    leads = [r["lead_hours"] for r in rows if r["lead_hours"] is not None]
    judged = [r["known"] for r in rows if r["known"] in ("useful", "noise")]
    critical = {
        w: sum(
            evaluated.tick_at(m.tick).strftime("%G-W%V") == w
            for m in opened
            if m.change.severity == "critical"
        )
        for w in weeks
    }
    return {
        "from": stored.start.isoformat(),
        "to": stored.end.isoformat(),
        "ticks": int(evaluated.findings.score.shape[1]),
        "opened": len(opened),
        "live_alerts": len(known),
        "live_alerts_found": len({r["live_id"] for r in rows if r["live_id"] is not None}),
        "median_lead_hours": float(np.median(leads)) if leads else None,
        "share_useful": judged.count("useful") / len(judged) if judged else None,
        "weeks": [{"week": w, "alerts": weeks[w], "critical": critical[w]} for w in sorted(weeks)],
        "alerts": rows,
    }


def _row(evaluated: Evaluated, move: Moved, known: list[dict[str, Any]], stored: Stored) -> dict[str, Any]:
    at = evaluated.tick_at(move.tick)
    series = stored.series[move.series][0]
    same = [k for k in known if k["series_id"] == series.id and abs(k["fired_at"] - at) <= SAME_ALERT]
    live = min(same, key=lambda k: abs(k["fired_at"] - at), default=None)
    return {
        "series": f"{series.kind}/{series.key}",
        "opened_at": at,
        "severity": move.change.severity,
        "score": round(move.score, 2),
        "live_id": live["id"] if live else None,
        "lead_hours": (live["fired_at"] - at).total_seconds() / 3600 if live else None,
        "known": (live["feedback"] or "told" if live["told"] else "seen") if live else "new",
    }


def _against(evaluated: Evaluated, tried: list[Moved], live: list[Moved]) -> dict[str, Any]:
    """Alerts that only one of the two rules opens."""

    def opened(moves: list[Moved]) -> list[tuple[int, int]]:
        return [(m.series, m.tick) for m in moves if m.change.kind == "open"]

    near = round(SAME_ALERT / TICK)
    a, b = opened(tried), opened(live)
    only = [x for x in a if not any(x[0] == y[0] and abs(x[1] - y[1]) <= near for y in b)]
    lost = [y for y in b if not any(x[0] == y[0] and abs(x[1] - y[1]) <= near for x in a)]
    return {"live_rule_opened": len(b), "only_tried_rule": len(only), "only_live_rule": len(lost)}


def _fit(evaluated: Evaluated, known: list[dict[str, Any]], rule: Rule, stored: Stored) -> dict[str, float]:
    """Thresholds at which what was not marked useful keeps to the budgets."""
    months = max((stored.end - stored.start).total_seconds() / 86400 / DAYS_PER_MONTH, 1e-9)
    useful = [k for k in known if k["feedback"] == "useful"]

    def cost(candidate: Rule) -> float:
        moves = walk(evaluated, with_rule(evaluated.crowd, candidate))
        rows = [_row(evaluated, m, useful, stored) for m in moves if m.change.kind == "open"]
        return sum(r["live_id"] is None for r in rows) / months / max(1, len(stored.series))

    fitted = fit_both(cost, rule)
    return {"warning": fitted.warning, "critical": fitted.critical}
