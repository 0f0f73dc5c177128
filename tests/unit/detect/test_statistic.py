"""The test itself: its known values, its gates, and what must not matter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from pipeline.detect.alerts import Episode
from pipeline.detect.baseline import (
    History,
    fit_baseline,
    from_parameters,
    to_parameters,
    unknown_series,
    usual_in_windows,
)
from pipeline.detect.counts import TICK, TICKS_PER_DAY, Counts, trailing_sums
from pipeline.detect.course import evaluate_counts, market_alerts, walk
from pipeline.detect.coverage import coverage_before, days_off, due_ticks, feed_weights
from pipeline.detect.night import pack, read_night
from pipeline.detect.rules import Rule, Rules
from pipeline.detect.spikes import (
    CLUSTERING_OF_COUNTS,
    VOLUME_CAUTION,
    LeastEvidence,
    Windows,
    enough_evidence,
    explain,
    score_windows,
    tail,
)
from pipeline.detect.tails import TailBook
from pipeline.detect.tick import everyone, follow

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
DAY = MONDAY.date()


def window(k: float, m: float, mu_k: float, mu_m: float, copies: float = 0.0) -> Windows:
    return Windows(*(np.array([[[float(x)] * 3]]) for x in (k, m, copies, mu_k, mu_m, 1.0)))


def test_the_tail_is_that_of_scipy() -> None:
    k, mean, variance = np.array([0.0, 1, 4, 30]), np.array([2.0, 2, 2, 10]), np.array([5.0, 5, 2.2, 40])
    expected = nbinom.sf(k - 1, mean**2 / (variance - mean), mean / variance)
    assert tail(k, mean, variance) == pytest.approx(expected)


def test_a_busy_window_explains_more_negatives() -> None:
    v = rho = np.full((1, 1, 3), 0.1)
    quiet = explain(window(8, 6, 2, 6), v, rho)
    busy = explain(window(8, 24, 2, 6), v, rho)
    assert (busy.expected > 2 * quiet.expected).all()
    assert (busy.p > 10 * quiet.p).all()
    a = 1 / (0.1 * VOLUME_CAUTION)
    assert busy.expected[0, 0, 0] == pytest.approx(2 * (a + 24) / (a + 6))


def test_few_bare_counts_are_less_strange_than_few_stories() -> None:
    v = rho = np.full((1, 1, 3), 0.1)
    told = explain(window(4, 0, 0.1, 0), v, rho)
    counted = explain(window(4, 0, 0.1, 0), v, rho, clustering=CLUSTERING_OF_COUNTS)
    assert (counted.expected == told.expected).all()
    assert (counted.p > 3 * told.p).all()


def test_copies_that_were_found_excuse_those_that_were_not() -> None:
    v = rho = np.full((1, 1, 3), 0.1)
    plain = explain(window(6, 6, 2, 6), v, rho, missed_copies=0.087)
    burst = explain(window(6, 6, 2, 6, copies=60), v, rho, missed_copies=0.087)
    assert (burst.p > 10 * plain.p).all()


def scores(k: int, copies: float) -> tuple[float, bool]:
    """Score over 24 h where a tenth of a story is usual, and whether a warning fires by the rules as shipped."""
    seen, v = window(k, k, 0.1, 0.2, copies), np.full((1, 1, 3), 0.1)
    verdict = explain(seen, v, v, missed_copies=Rules().missed_copies)
    score = float(score_windows(verdict.p, seen.coverage)[0, 0, 2])
    enough = bool(enough_evidence(seen, verdict.expected, LeastEvidence())[0, 0, 2])
    return score, enough and score >= Rule().warning


def test_widely_told_distinct_stories_fire() -> None:
    for stories, copies in ((8, 3), (20, 8), (50, 8)):
        score, fires = scores(stories, stories * copies)
        assert fires
        assert score >= Rule().critical


@pytest.mark.parametrize("stories", [6, 8, 12, 20, 50])
def test_more_copies_of_distinct_stories_silence_nothing(stories: int) -> None:
    assert all(scores(stories, stories * copies)[1] for copies in (0, 1, 3, 8, 20, 60, 200, 1000))


@pytest.mark.parametrize(("found", "missed"), [(60, 2), (150, 3), (300, 3), (400, 4)])
def test_one_event_of_which_a_few_copies_were_missed_does_not_fire(found: int, missed: int) -> None:
    assert not scores(1 + missed, found)[1]


def history(days: int = 42, rate: float = 4.0, share: float = 0.25, seed: int = 1, size: int = 20) -> History:
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    curve = 1 + 0.8 * np.sin(hours * 2 * np.pi / 24)
    negative = rng.poisson(rate * share * curve, (size, hours.size)).astype(float)
    other = rng.poisson(rate * (1 - share) * curve, (size, hours.size)).astype(float)
    return History(MONDAY, negative, other, np.ones_like(other))


def test_the_baseline_finds_what_was_drawn() -> None:
    fitted = fit_baseline(history())
    assert fitted.level.mean() == pytest.approx(4.0, rel=0.05)
    assert fitted.share.mean() == pytest.approx(0.25, rel=0.1)
    assert fitted.profile.mean(axis=1) == pytest.approx(np.ones(20))
    day = fitted.profile.mean(axis=0).reshape(7, 24).mean(axis=0)
    assert day[6] == pytest.approx(1.8, abs=0.15)
    assert day[18] == pytest.approx(0.2, abs=0.15)
    assert (fitted.days == 42).all()


def test_a_spike_in_the_past_hardly_moves_what_is_usual() -> None:
    calm, shaken = history(), history()
    shaken.negative[0, -30:-6] += 200
    before, after = fit_baseline(calm), fit_baseline(shaken)
    assert after.level[0] < 2 * before.level[0]
    assert after.share_cv2[0, 0] < 0.5


def test_parameters_survive_the_database() -> None:
    fitted = fit_baseline(history(days=15))
    read = from_parameters(fitted.as_of, [to_parameters(fitted, i) for i in range(20)])
    assert read.level == pytest.approx(fitted.level, abs=1e-5)
    assert read.profile == pytest.approx(fitted.profile, abs=1e-4)


@dataclass(frozen=True)
class Stored:
    parameters: dict[int, dict[str, Any]]
    packed: bytes | None
    built_for: date
    id: int = 7
    model_version_id: int = 3
    pooled: dict[str, Any] = field(default_factory=lambda: {"stories": 9, "share": 0.3, "feeds": [10, 11]})


def test_a_packed_baseline_is_the_one_that_people_read() -> None:
    fitted = fit_baseline(history(days=15))
    parameters = {100 + i: {**to_parameters(fitted, i), "feeds": {"10": i}} for i in range(20)}
    packed = read_night(Stored({}, pack(parameters, DAY), DAY))
    read = read_night(Stored(parameters, None, DAY))
    wanted = [105, 999, 100]
    for name in ("level", "share", "profile", "volume_cv2", "share_cv2", "days"):
        ours = getattr(packed.rows_of(wanted), name)
        assert (ours == getattr(read.rows_of(wanted), name)).all()
        assert (ours[0] == parameters[105][name]).all()
        assert (ours[1] == unknown_series(0.3)[name]).all()
    assert (packed.brought == read.brought).all()
    assert (packed.day, packed.feed_ids, packed.stories) == (DAY, (10, 11), 9)


def test_a_baseline_of_no_series_knows_none() -> None:
    night = read_night(Stored({}, pack({}, DAY), DAY))
    assert night.rows_of([5]).days.tolist() == [0.0]


def test_a_backlog_is_expected_by_the_hours_it_was_published_in() -> None:
    fitted = fit_baseline(history())
    at = MONDAY + timedelta(hours=19)  # the quietest hour; the six before it were busier
    coverage = np.ones((20, TICKS_PER_DAY))
    coverage[:, -25:-1], coverage[:, -1] = 0.0, 24.0
    covered, full = usual_in_windows(fitted, at, coverage)
    usual_6h = usual_in_windows(fitted, at, np.ones((20, TICKS_PER_DAY)))[0]
    assert (covered[:, 0, 0] > 5 * full[:, 0, 0]).all()
    assert covered[:, 0, 2] == pytest.approx(usual_6h[:, 0, 2], rel=0.1)


def test_coverage_follows_the_feeds_that_are_down() -> None:
    weights = feed_weights(np.array([[1, 10, 95], [2, 11, 95], [3, 10, 9]]), [1, 2], [10, 11])
    assert weights.sum(axis=1) == pytest.approx([1, 1])
    covered = coverage_before(MONDAY, {MONDAY: {10: 0.0}, MONDAY - TICK: {}}, weights, [10, 11], 0.0)
    assert covered[0, -1] < 0.1
    assert covered[1, -1] > 0.9
    assert (covered[:, -2] == 1).all()
    assert (covered[:, :-2] == 0).all()


def test_missed_runs_are_caught_up_and_the_first_window_closes_early() -> None:
    now = MONDAY + timedelta(minutes=7)
    most = timedelta(days=14)
    assert due_ticks(None, None, now, most) == []
    assert due_ticks(None, MONDAY, now, most) == [MONDAY + TICK]
    assert due_ticks(MONDAY + TICK, None, now, most) == []
    assert due_ticks(MONDAY - 3 * TICK, None, now, most) == [MONDAY - 2 * TICK, MONDAY - TICK, MONDAY]
    assert len(due_ticks(MONDAY - timedelta(days=60), None, now, most)) == 14 * TICKS_PER_DAY + 1
    assert len(due_ticks(None, MONDAY - timedelta(days=60), now, most)) == 14 * TICKS_PER_DAY + 1


def test_days_on_which_nobody_looked_are_off_and_a_tick_at_midnight_looked_at_the_day_before() -> None:
    first = MONDAY.replace(hour=12)
    ticks = [first, MONDAY + timedelta(days=2)]
    counted = [MONDAY + timedelta(days=3, hours=9)]
    off = days_off(first, ticks, counted, MONDAY + timedelta(days=5))
    assert off == [(MONDAY + timedelta(days=n)).date() for n in (2, 4)]
    assert days_off(None, [], counted, MONDAY) == []


def counts(days: int = 30, spike: bool = True, seed: int = 3) -> Counts:
    rng = np.random.default_rng(seed)
    shape = (6, days * TICKS_PER_DAY)
    negative, other = rng.poisson(0.1, shape).astype(float), rng.poisson(0.3, shape).astype(float)
    if spike:
        negative[2, -60:-40] += 1
    return Counts(MONDAY, tuple("abcdef"), negative, other, np.ones(shape), np.zeros(shape))


def test_a_planted_spike_is_found_and_nothing_else() -> None:
    evaluated = evaluate_counts(counts(), everyone([Rule()] * 6), count_only=False)
    told = [m for m in walk(evaluated) if m.change.kind == "open" and m.tick > 14 * TICKS_PER_DAY]
    assert [m.series for m in told] == [2]
    assert counts().ticks - 60 <= told[0].tick < counts().ticks - 40


def test_a_bad_day_of_everybody_is_one_alert() -> None:
    rng = np.random.default_rng(8)
    shape = (60, 30 * TICKS_PER_DAY)
    usual = rng.uniform(0.1, 0.8, (60, 1))
    bad = np.ones((1, shape[1]))
    bad[0, -200:-160] = 3.0
    negative = rng.poisson(0.25 * usual * bad * rng.uniform(0.8, 1.2, (60, 1)), shape).astype(float)
    other = rng.poisson(0.75 * usual, shape).astype(float)
    day = Counts(MONDAY, tuple(map(str, range(60))), negative, other, np.ones(shape), np.zeros(shape))
    evaluated = evaluate_counts(day, everyone([Rule()] * 60), count_only=False)
    opened = np.flatnonzero(market_alerts(evaluated, Rule()))
    opened = opened[opened >= 14 * TICKS_PER_DAY]  # a market that is not known yet is no market
    start = day.ticks - 200
    assert start <= opened[0] <= start + 8  # two hours
    assert start + 40 <= opened[-1] <= start + 40 + 4 * 12
    told = [m for m in walk(evaluated) if m.change.kind == "open" and m.tick >= start]
    assert len([m for m in told if m.change.severity == "critical"]) <= 1


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_walking_series_by_series_is_following_tick_by_tick(seed: int) -> None:
    shaken = counts(seed=seed)
    for start in range(900, shaken.ticks, 500):  # outages, also while something is held
        shaken.coverage[start % 6, start : start + 40 + start // 50] = 0.0
    rules = [Rule(warning=1.0 + i / 6, critical=3.0, hold_hours=(6.0, 2.3)[i % 2]) for i in range(6)]
    evaluated = evaluate_counts(shaken, everyone(rules), count_only=False)
    episodes: dict[int, Episode] = {}
    said = []
    for tick in range(evaluated.counts.ticks):
        moved = follow(evaluated.findings, evaluated.crowd, episodes, evaluated.tick_at(tick), tick)
        for i, (episode, changes) in moved.items():
            episodes[i] = episode
            said += [(tick, i, change) for change in changes]
    assert len(said) >= 60
    assert {"resolve", "held", "reopen"} <= {change.kind for _, _, change in said}
    assert evaluated.findings.no_data.any()
    assert said == [(m.tick, m.series, m.change) for m in walk(evaluated)]


def test_a_rule_that_is_switched_off_lets_its_alerts_run_out() -> None:
    evaluated = evaluate_counts(
        counts(seed=3), everyone([Rule(warning=1.5, critical=3.0)] * 6), count_only=False
    )
    on = evaluated.crowd
    off = replace(on, rules=tuple(replace(rule, enabled=False) for rule in on.rules))
    seen_open = 0
    for at in range(900, evaluated.counts.ticks - 200, 300):
        episodes: dict[int, Episode] = {}
        for tick in range(at):
            moved = follow(evaluated.findings, on, episodes, evaluated.tick_at(tick), tick)
            episodes |= {i: episode for i, (episode, _) in moved.items()}
        begun = {i for i, episode in episodes.items() if episode.open}
        seen_open += len(begun)
        said = []
        for tick in range(at, at + 200):
            moved = follow(evaluated.findings, off, episodes, evaluated.tick_at(tick), tick)
            episodes |= {i: episode for i, (episode, _) in moved.items()}
            said += [(i, change.kind) for i, (_, changes) in moved.items() for change in changes]
        assert {kind for _, kind in said} <= {"held", "resolve", "drop"}
        assert {i for i, kind in said if kind != "held"} == begun
        assert not any(episode.open for episode in episodes.values())
    assert seen_open >= 3
    assert walk(evaluated, off) == []


def test_the_future_cannot_change_the_past() -> None:
    whole = evaluate_counts(counts(), everyone([Rule()] * 6), count_only=False).findings
    longer = counts()
    longer.negative[:, -5 * TICKS_PER_DAY :] *= 7
    changed = evaluate_counts(longer, everyone([Rule()] * 6), count_only=False).findings
    past = slice(0, counts().ticks - 5 * TICKS_PER_DAY)
    for name in ("score", "crossing", "expected", "p"):
        assert (getattr(whole, name)[:, past] == getattr(changed, name)[:, past]).all()
    assert (whole.score[:, -1] != changed.score[:, -1]).any()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_trailing_sums_are_those_of_a_loop(values: list[int]) -> None:
    sums = trailing_sums(np.array([values], dtype=float))
    for w, ticks in enumerate((4, 16, 96)):
        assert sums[0, :, w].tolist() == [
            sum(values[max(0, t + 1 - ticks) : t + 1]) for t in range(len(values))
        ]


def test_tail_calibration_brings_series_to_the_same_rate() -> None:
    rng = np.random.default_rng(5)
    book = TailBook.empty(2)
    for _ in range(60):
        tame, wild = rng.exponential(0.43, (1, 96)), rng.exponential(1.3, (1, 96))
        book = book.after(np.concatenate([tame, wild]))
    tame, wild = rng.exponential(0.43, (1, 200_000)), rng.exponential(1.3, (1, 200_000))
    calibrated = book.calibrate(np.concatenate([tame, wild]))
    rates = (calibrated > 3).mean(axis=1)
    assert 0.0001 < rates[0] < 0.003
    assert 0.0001 < rates[1] < 0.004
    assert (wild > 3).mean() > 0.05
