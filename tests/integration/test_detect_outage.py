"""Weeks in which this machine was off are no weeks without news, and hours that its clock only showed are still to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from detect_world import NOW, ROUTES, World, burst
from sqlalchemy.engine import Engine

from pipeline.detect.rules import Rules, load_rules
from pipeline.detect.step import build_baselines, build_windows, detect
from pipeline.ingest.upkeep import prune
from pipeline.store import windows

BACK = NOW + timedelta(days=35)
LEVEL = (
    "select cast(p.parameters ->> 'level' as float) as level, b.built_for from baseline_series p"
    " join baselines b on b.id = p.baseline_id join series s on s.id = p.series_id"
    " where s.kind = 'all' order by b.built_for"
)


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    path = tmp_path / "alerts.toml"
    path.write_text(ROUTES)
    return load_rules(path)


@pytest.fixture
def world(engine: Engine) -> World:
    """Three weeks of news, and an evening on which the machine polled, looked, and was switched off."""
    world = World(engine)
    world.archive_days(21)
    world.fetch(NOW - timedelta(minutes=20))
    world.story(NOW - timedelta(minutes=10), scored_at=NOW)
    return world


def test_weeks_without_a_tick_are_no_weeks_without_news(world: World, engine: Engine, rules: Rules) -> None:
    detect(engine, rules, as_of=NOW)
    before = world.rows(LEVEL)[-1]["level"]
    build_baselines(engine, rules, as_of=BACK)
    assert world.rows(LEVEL)[-1]["built_for"] == BACK.date()
    assert world.rows(LEVEL)[-1]["level"] == pytest.approx(before, rel=0.1)


def test_an_archive_of_those_weeks_counts(world: World, engine: Engine, rules: Rules) -> None:
    detect(engine, rules, as_of=NOW)
    before = world.rows(LEVEL)[-1]["level"]
    for day in range(1, 35):
        for hour in range(5):  # a quarter of the usual
            world.story(NOW + timedelta(days=day, hours=hour), backfilled=True, scored_at=BACK)
    build_baselines(engine, rules, as_of=BACK)
    assert world.rows(LEVEL)[-1]["level"] < 0.7 * before


def test_that_it_ever_polled_is_known_when_the_polls_are_forgotten(world: World, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into feed_states (feed_id, last_attempt_at) values (:feed, :at)"),
            {"feed": world.feeds[0], "at": NOW},
        )
    assert prune(engine, as_of=BACK)["polls"] == 3
    with engine.connect() as connection:
        assert windows.ever_polled(connection)


@pytest.mark.parametrize("by", [detect, lambda engine, rules, **when: build_windows(engine, **when)])
def test_news_counts_after_a_clock_that_ran_ahead_was_put_right(
    engine: Engine, rules: Rules, by: Callable[..., Any]
) -> None:
    """Until the hour that it had shown no tick was due, and what came more than six hours before that was history."""
    world, right = World(engine), datetime.now(UTC)
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into ticks (tick_at, evaluated_at, rule_version) values (:at, :at, '1')"),
            [{"at": right + timedelta(hours=hours)} for hours in (-0.5, 0.5, 9)],
        )
    burst(world, right - timedelta(minutes=10), 3)
    ticks = "select count(*) as n from ticks where tick_at > :right"
    assert detect(engine, rules, as_of=right, champion_at=right).counted == 0  # a replay takes nothing back
    assert world.rows(ticks, right=right) == [{"n": 2}]
    with engine.begin() as connection:
        connection.execute(sa.text("truncate counted_stories, windows"))
    by(engine, rules, as_of=right)
    assert world.rows("select distinct live from counted_stories") == [{"live": True}]
    assert world.rows(ticks, right=right) == [{"n": 1}]  # half an hour may be another machine's clock
