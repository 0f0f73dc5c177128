"""Alerts replayed from a model's verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.detect.rules import parse_rules
from pipeline.label.arrivals import QuarterCount, Raised
from pipeline.label.gate import check_alerts
from pipeline.label.rehearsal import compare_alerts, days_of_history, replay_alerts
from pipeline.types import Series

START = datetime(2026, 3, 1, tzinfo=UTC)
SERIES = [(Series(1, "all", "all", "Everything"), START), (Series(2, "company", "Orvex", "Orvex"), START)]
DAYS = [(START + timedelta(days=n)).date() for n in range(28, 35)]


def quarters(burst: int, seed: int = 1) -> list[QuarterCount]:
    """Five weeks of 2 stories an hour, a quarter of them negative; `burst` bad ones about Orvex in the last days."""
    rng = np.random.default_rng(seed)
    rows = []
    for tick in range(35 * 96):
        at = START + tick * timedelta(minutes=15)
        negative, other = int(rng.poisson(0.12)), int(rng.poisson(0.38))
        bad = burst if at in BURST else 0
        if negative + other:
            rows.append(QuarterCount(1, at, negative, other, negative, other))
        if bad:
            rows.append(QuarterCount(2, at, bad, 0, bad, 0))
        elif tick % 40 == 0:
            rows.append(QuarterCount(2, at, 0, 1, 0, 1))
    return rows


BURST = {START + timedelta(days=32, hours=10, minutes=15 * n) for n in range(8)}


@pytest.fixture(scope="module")
def rules(project_root):
    return parse_rules((project_root / "alerts.toml").read_text())


def test_a_burst_is_found_and_quiet_weeks_stay_quiet(rules):
    assert not [r for r in replay_alerts(SERIES, quarters(0), rules, DAYS) if r.series_id == 2]
    found = [r for r in replay_alerts(SERIES, quarters(3), rules, DAYS) if r.series_id == 2]
    assert len(found) == 1
    assert min(BURST) < found[0].at < max(BURST) + timedelta(hours=1)


def test_a_useful_alert_that_comes_a_little_later_is_not_missed():
    at = START + timedelta(days=32)
    champion = [Raised(2, at), Raised(1, at)]
    later = [Raised(2, at + timedelta(hours=3))]
    compared = compare_alerts(7, champion, later, useful=[Raised(2, at)], history_days=35)
    assert (compared.champion, compared.challenger, compared.useful, compared.useful_missed) == (2, 1, 1, 0)
    assert compare_alerts(7, champion, [], useful=[Raised(2, at)], history_days=35).useful_missed == 1


def test_a_useful_alert_that_the_champion_does_not_raise_again_is_held_against_nobody(rules):
    """Where the history is too short for anything to be told, a challenger equal to the champion passes."""
    as_of = START + timedelta(days=35, hours=2)
    warned_of = min(BURST) + timedelta(hours=1)
    whole = [q for q in quarters(1) if q.series_id == 1 or q.at not in BURST or q.at < warned_of]
    short = [q for q in whole if q.at >= START + timedelta(days=22, hours=5)]
    told, raised = (
        [r for r in replay_alerts(SERIES, q, rules, DAYS) if r.series_id == 2] for q in (whole, short)
    )
    assert (told, raised) == ([Raised(2, warned_of)], []), "only with two weeks before it is a warning told"
    history = days_of_history(short, as_of)
    assert history == 13
    compared = compare_alerts(13, raised, raised, told, history_days=history)
    assert (compared.called_useful, compared.useful, compared.useful_missed) == (1, 0, 0)
    (reason,) = check_alerts(SimpleNamespace(replay=compared))
    assert reason.passed
    assert reason.sentence == (
        "In the last 13 days it would have raised 0 alerts, the champion 0, on 13 days of stories that both have read; "
        "of 1 that people called useful the champion's replay raised 0."
    )


def test_no_stories_are_no_history():
    assert days_of_history([], START) == 0
