"""Alerts replayed from a model's verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.detect.rules import parse_rules
from pipeline.label.arrivals import QuarterCount, Raised
from pipeline.label.rehearsal import compare_alerts, replay_alerts
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
    compared = compare_alerts(7, champion, later, useful=[Raised(2, at)])
    assert (compared.champion, compared.challenger, compared.useful, compared.useful_missed) == (2, 1, 1, 0)
    assert compare_alerts(7, champion, [], useful=[Raised(2, at)]).useful_missed == 1
