"""Detect: counts windows, tests every tick since the last one, follows alerts and fills the outbox.

Each tick is one transaction: its evaluations, spikes, alerts, their history and the messages about them are there
together or not at all. A run that dies loses nothing, and a second run changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from model.labels import TOPIC_TITLES
from pipeline.detect.baseline import SHARE_PSEUDO_STORIES, fit_baseline, to_parameters
from pipeline.detect.context import TickContext
from pipeline.detect.counts import TICK
from pipeline.detect.coverage import NEWEST_STORIES, READING_TIME, days_off, due_ticks
from pipeline.detect.night import USUAL_SHARE, Night, midnight, pack, read_night
from pipeline.detect.rules import STATISTIC_VERSION, Rules
from pipeline.detect.scene import (
    HISTORY_DAYS,
    Scene,
    make_history,
    make_scene,
    make_span,
)
from pipeline.detect.tell import follow_alerts
from pipeline.detect.tick import Findings, Span, find, window_hours
from pipeline.store import baselines, models, spikes, windows
from pipeline.store.engine import Connection, Engine
from pipeline.store.models import StoredModel
from pipeline.store.spikes import Evaluation
from pipeline.types import Report, Severity

log = logging.getLogger(__name__)

# How far back a run catches up; what is older would be told as news long after it was.
CATCH_UP = timedelta(days=14)
# Scores written this long before the last run are looked through again: a writer may commit late.
RECOUNT = timedelta(days=2)
# A baseline is built again within its day when its history has grown by this factor and number (an import).
GROWN_FACTOR = 1.2
GROWN_STORIES = 20
# Part of the stories of four weeks that a model must have scored before its own counts make the baseline.
LEAST_RESCORED = 0.5
MODEL_DAYS = 28


@dataclass(slots=True)
class DetectReport(Report):
    """Stories counted, ticks evaluated, spikes found; alerts opened, raised and resolved; messages for the outbox."""

    counted: int = 0
    history: int = 0
    ticks: int = 0
    spikes: int = 0
    opened: int = 0
    risen: int = 0
    resolved: int = 0
    messages: int = 0
    baselines: int = 0


@dataclass(slots=True)
class WindowsReport(Report):
    """Series that were new, live stories and backfilled stories that were counted."""

    series: int = 0
    live: int = 0
    history: int = 0


@dataclass(slots=True)
class BaselineReport(Report):
    """Day it is for, series in it, stories it is made of; `built` is 0 where it was there already."""

    day: str
    series: int = 0
    stories: int = 0
    built: int = 0


def build_windows(engine: Engine, *, as_of: datetime, champion_at: datetime | None = None) -> WindowsReport:
    """Counts every story that was scored and not counted yet, from the beginning of time.

    Here and below the champion is that of `champion_at`; None: of the newest switch, as for scoring. A clock that runs
    behind, or ran ahead at a switch, cannot make the two use different models.
    """
    with engine.begin() as connection:
        windows.lock_detect(connection)
        _take_back_ahead(connection, as_of, champion_at)
        added = windows.sync_series(connection, TOPIC_TITLES, as_of)
        champion = models.champion(connection, as_of=champion_at)
        if champion is None:
            return WindowsReport(series=added)
        counted = windows.count_stories(connection, champion.id, as_of)
        return WindowsReport(added, counted.live, counted.history)


def build_baselines(
    engine: Engine, rules: Rules, *, as_of: datetime, champion_at: datetime | None = None
) -> BaselineReport:
    """What is usual from the UTC day of `as_of` on; again only where its history has grown since."""
    build_windows(engine, as_of=as_of, champion_at=champion_at)
    with engine.begin() as connection:
        windows.lock_detect(connection)
        champion = models.champion(connection, as_of=champion_at)
        day = as_of.date()
        if champion is None:
            return BaselineReport(day.isoformat())
        night, built = _baseline_of(connection, day, champion, as_of)
        return BaselineReport(day.isoformat(), len(night.series_ids), night.stories, int(built))


def detect(
    engine: Engine, rules: Rules, *, as_of: datetime, champion_at: datetime | None = None
) -> DetectReport:
    """Evaluates all ticks up to `as_of` that were not; can run at any time, twice, and side by side."""
    report = DetectReport()
    with engine.begin() as connection:
        windows.lock_detect(connection)
        _take_back_ahead(connection, as_of, champion_at)
        windows.sync_series(connection, TOPIC_TITLES, as_of)
        champion = models.champion(connection, as_of=champion_at)
        if champion is None:
            return report
        rules = rules.with_overrides(windows.read_overrides(connection))
        last = spikes.last_tick(connection)
        since = None if last is None else min(last, as_of) - RECOUNT
        counted = windows.count_stories(connection, champion.id, as_of, since)
        report.counted, report.history = counted.live, counted.history
        ticks = due_ticks(last, counted.first_live, as_of, CATCH_UP)
    scene: Scene | None = None
    for tick_at in ticks:
        with engine.begin() as connection:
            windows.lock_detect(connection)
            last = spikes.last_tick(connection)
            if last is not None and last >= tick_at:
                continue  # another run was here first
            scene = _scene_at(connection, tick_at, champion, rules, scene, as_of, report)
            _evaluate(connection, scene, tick_at, champion, rules, as_of, report)
    return report


def _take_back_ahead(connection: Connection, as_of: datetime, champion_at: datetime | None) -> None:
    """Undoes what a clock that ran ahead has closed; a replay of the past, which names its champion's time, does not."""
    if champion_at is None and (ahead := spikes.take_back_ahead(connection, as_of)):
        log.warning("a clock ran ahead: %d ticks that are still to come were taken back", ahead)


def _scene_at(
    connection: Connection,
    tick_at: datetime,
    champion: StoredModel,
    rules: Rules,
    scene: Scene | None,
    as_of: datetime,
    report: DetectReport,
) -> Scene:
    """The scene of the day of the tick; the one given where it is of that day."""
    day = (tick_at - TICK).date()
    if scene is not None and scene.baseline.as_of == midnight(day):
        return scene
    night, built = _baseline_of(connection, day, champion, as_of)
    report.baselines += int(built)
    return make_scene([s for s, _ in windows.list_series(connection)], night, rules)


def _baseline_of(
    connection: Connection, day: date, champion: StoredModel, as_of: datetime
) -> tuple[Night, bool]:
    """The baseline of `day`, built (True) where it is missing, of another model or of far less history."""
    end = midnight(day)
    start, lately = end - timedelta(days=HISTORY_DAYS), end - timedelta(days=MODEL_DAYS)
    counted = windows.stories_by_model(connection, start, lately, end)
    model_id = _model_with_history(champion.id, {model: recent for model, (_, recent) in counted.items()})
    known = counted.get(model_id, (0, 0))[0]
    stored = baselines.find_baseline(connection, day, STATISTIC_VERSION)
    if stored is not None and stored.model_version_id == model_id:
        night = read_night(stored)
        if known < GROWN_FACTOR * night.stories + GROWN_STORIES:
            return night, False
    baseline_id = _build(connection, day, model_id, known, as_of)
    if baseline_id is not None:
        return read_night(baselines.get_baseline(connection, baseline_id)), True
    assert stored is not None  # the same time again: it was built by this run
    return read_night(stored), False


def _model_with_history(champion_id: int, recent: Mapping[int, int]) -> int:
    """The champion, or before enough of the past is scored again the model that scored most of it."""
    if not any(recent.values()) or recent.get(champion_id, 0) >= LEAST_RESCORED * max(recent.values()):
        return champion_id
    return max(recent, key=lambda model_id: (recent[model_id], model_id))


def _build(connection: Connection, day: date, model_id: int, known: int, as_of: datetime) -> int | None:
    end = midnight(day)
    start = end - timedelta(days=HISTORY_DAYS)
    series = windows.list_series(connection)
    hours = [
        (c.series_id, c.at, c.negative, c.other) for c in windows.read_hours(connection, model_id, start, end)
    ]
    ticks = {t.tick_at: t.whole for t in spikes.read_ticks(connection, start, end)}
    whole = _hourly(ticks)
    if windows.ever_polled(connection):
        off = days_off(spikes.first_tick(connection), ticks, (at for _, at, _, _ in hours), end)
        whole |= {midnight(day) + timedelta(hours=hour): 0.0 for day in off for hour in range(24)}
    baseline = fit_baseline(make_history(series, day, hours, whole))
    feeds: dict[int, dict[str, int]] = {}
    for series_id, feed_id, number in windows.stories_by_feed(
        connection, end - timedelta(days=MODEL_DAYS), end
    ):
        feeds.setdefault(series_id, {})[str(feed_id)] = number
    parameters = {
        s.id: {**to_parameters(baseline, i), "feeds": feeds.get(s.id, {})} for i, (s, _) in enumerate(series)
    }
    negative, other = sum(h[2] for h in hours), sum(h[3] for h in hours)
    share = (negative + SHARE_PSEUDO_STORIES * USUAL_SHARE) / (negative + other + SHARE_PSEUDO_STORIES)
    return baselines.save_baseline(
        connection,
        built_for=day,
        built_at=as_of,
        model_version_id=model_id,
        rule_version=STATISTIC_VERSION,
        pooled={"stories": known, "share": round(share, 6), "feeds": windows.polled_feeds(connection)},
        parameters=parameters,
        packed=pack(parameters, day),
    )


def _hourly(whole: Mapping[datetime, float]) -> dict[datetime, float]:
    """Mean coverage of each hour from that of its ticks; hours that were fully covered are left out."""
    hours: dict[datetime, list[float]] = {}
    for tick_at, part in whole.items():
        hours.setdefault((tick_at - TICK).replace(minute=0, second=0, microsecond=0), []).append(part)
    means = {at: sum(parts) / len(parts) for at, parts in hours.items()}
    return {at: mean for at, mean in means.items() if abs(mean - 1) > 0.01}


def _evaluate(
    connection: Connection,
    scene: Scene,
    tick_at: datetime,
    champion: StoredModel,
    rules: Rules,
    as_of: datetime,
    report: DetectReport,
) -> None:
    """Tests one tick, follows its alerts, and stores all of it; the counts of what it did are added to `report`."""
    windows.count_copies(connection, tick_at - TICK, tick_at)
    span, circumstances = _read_span(connection, scene, tick_at, champion, as_of)
    findings = find(span, scene.baseline, scene.crowd)
    context = TickContext(scene, findings, rules, champion, tick_at, as_of)
    followed = follow_alerts(connection, context)
    versions: dict[str, Any] = {
        "baseline_id": scene.baseline_id,
        "model_version_id": champion.id,
        "rule_version": rules.version,
    }
    evaluations = describe(scene, findings, followed.states, followed.alert_ids)
    report.spikes += spikes.save_evaluations(connection, tick_at, evaluations, **versions)
    whole = float(span.coverage[scene.crowd.whole or 0, -1]) if len(scene.series) else 1.0
    spikes.save_tick(
        connection,
        tick_at=tick_at,
        evaluated_at=as_of,
        market_factor=float(findings.market[0]),
        coverage=min(1.0, whole),
        details={**circumstances, "whole": round(whole, 4), "series": len(scene.series)},
        **versions,
    )
    report.ticks += 1
    report.opened += followed.opened
    report.risen += followed.risen
    report.resolved += followed.resolved
    report.messages += followed.messages


def _read_span(
    connection: Connection, scene: Scene, tick_at: datetime, champion: StoredModel, as_of: datetime
) -> tuple[Span, dict[str, Any]]:
    """The counts that end at the tick, and the circumstances that its row keeps of them.

    `feeds`: those that were down or handed over a backlog, as multiples of the quarter of an hour; `unseen`: coverage of
    quarters that have no tick; `unread`: part of the newest stories without a verdict.
    """
    past = {t.tick_at: t.feeds for t in spikes.read_ticks(connection, tick_at - timedelta(days=1), tick_at)}
    past[tick_at] = windows.feed_exceptions(connection, tick_at - TICK, tick_at)
    unseen = 0.0 if windows.ever_polled(connection) else 1.0
    until = min(tick_at, as_of) - READING_TIME
    unread = windows.unread_part(connection, champion.id, until, as_of, NEWEST_STORIES)
    trailing = windows.read_trailing(connection, tick_at)
    span = make_span(scene, tick_at, trailing, past, unseen, unread)
    return span, {"feeds": past[tick_at], "unseen": unseen, "unread": round(unread, 4)}


def describe(
    scene: Scene, findings: Findings, states: Mapping[int, str], alert_ids: Mapping[int, int]
) -> list[Evaluation]:
    """Evaluations of the series that have a negative story in 24 h or an open alert."""
    found = findings
    figures = zip(
        found.negative[:, 0].astype(int).tolist(),
        found.other[:, 0].astype(int).tolist(),
        found.expected[:, 0].tolist(),
        found.variance[:, 0].tolist(),
        found.p[:, 0].tolist(),
        np.maximum(-1.0, found.score[:, 0]).tolist(),
        strict=True,
    )
    rows = []
    for i, (negative, other, expected, variance, p, score) in enumerate(figures):
        if negative <= 0 and i not in states:
            continue
        no_data = found.no_data[i, 0] or found.unread[i, 0]
        quiet = "no_data" if no_data else "learning" if scene.learning[i] else "inactive"
        severity = _severity(scene, found, i)
        state = states.get(i) or quiet
        series_id, hours = scene.series[i].id, window_hours(found, i)
        figure = Evaluation(series_id, hours, negative, other, expected, variance, p, score, state)
        rows.append(replace(figure, severity=severity, alert_id=alert_ids.get(i)) if severity else figure)
    return rows


def _severity(scene: Scene, findings: Findings, i: int) -> Severity | None:
    """That of the spike which the series has at the tick, or None."""
    rule, crossing = scene.crowd.rules[i], findings.crossing[i, 0]
    if not rule.enabled or crossing < rule.warning or findings.no_data[i, 0]:
        return None
    return "critical" if crossing >= rule.critical else "warning"
