"""Whose verdicts count, and what a tick is worth while stories wait for one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from detect_world import (
    BAD,
    NOW,
    ROUTES,
    World,
    alert_of,
    burst,
    dump,
    told,
)
from sqlalchemy.engine import Engine

from pipeline.detect.course import states, walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored
from pipeline.detect.rules import Rules, parse_rules
from pipeline.detect.step import build_baselines, detect
from pipeline.store import alerts, models, scores
from pipeline.types import Apart, StoryScore


@pytest.fixture
def rules() -> Rules:
    return parse_rules(ROUTES)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_a_story_counts_live_whoever_else_read_it_before_the_champion(
    world: World, engine: Engine, rules: Rules
) -> None:
    at = NOW - timedelta(minutes=10)
    with engine.begin() as connection:
        v2 = models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=NOW).id
    world.story(at, "Elm")
    late, never = (
        world.story(at, "Acme", BAD, model=v2, scored_at=at + timedelta(minutes=1)) for _ in range(2)
    )
    detect(engine, rules, as_of=NOW)
    score = StoryScore(late, BAD, {world.company["Acme"]: BAD}, {"markets": 0.9})
    with engine.begin() as connection:
        scores.write_scores(connection, world.model, [score], {late: b"x" * 16}, NOW + timedelta(minutes=1))
    read = NOW + timedelta(minutes=20)
    assert detect(engine, rules, as_of=read).counted == 1
    counted = "select model_version_id as model, live from counted_stories where story_id = :id order by 1"
    both = [{"model": world.model, "live": True}, {"model": v2, "live": False}]
    assert world.rows(counted, id=late) == both
    before = dump(world)
    detect(engine, rules, as_of=read)
    assert dump(world) == before
    with engine.begin() as connection:
        models.point_alias(connection, "v2", by="test", reason="better", as_of=read)
    assert detect(engine, rules, as_of=read + timedelta(minutes=15)).counted == 1
    assert world.rows(counted, id=never) == [{"model": v2, "live": True}]
    assert world.rows(counted, id=late) == both


def test_a_switch_dated_in_the_future_is_in_force_for_alerts_as_it_is_for_scoring(
    world: World, engine: Engine, rules: Rules
) -> None:
    """A clock that ran ahead made a model champion, and was put right: the switch after it lies ahead, too."""
    world.archive_days(15)
    world.story(NOW - timedelta(hours=1), "Elm")
    detect(engine, rules, as_of=NOW - timedelta(minutes=37))
    ahead = NOW + timedelta(hours=3)
    with engine.begin() as connection:
        for version, at in (("v2", ahead), ("v3", ahead + timedelta(microseconds=1))):
            v3 = models.register_model(connection, version=version, path="nowhere", manifest={}, as_of=NOW).id
            models.point_alias(connection, version, by="test", reason="better", as_of=at)
    for _ in range(12):
        world.story(NOW, "Acme", BAD, model=v3, scored_at=NOW + timedelta(minutes=1))
    assert detect(engine, rules, as_of=NOW + timedelta(minutes=10)).counted == 12
    assert told(world) == [("Acme", "open", "critical")]
    assert world.rows("select model_version_id as id from ticks order by tick_at desc limit 1") == [
        {"id": v3}
    ]
    baseline = build_baselines(engine, rules, as_of=NOW + timedelta(minutes=10))
    assert (baseline.day, baseline.series > 0) == (NOW.date().isoformat(), True)


def test_what_no_champion_reads_is_history_once_it_is_too_old_to_be_live(
    world: World, engine: Engine, rules: Rules
) -> None:
    with engine.begin() as connection:
        v2 = models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=NOW).id
    world.story(NOW, "Elm")
    story = world.story(NOW, "Acme", BAD, model=v2, scored_at=NOW)
    for hours in (0, 6, 7):
        detect(engine, rules, as_of=NOW + timedelta(hours=hours, minutes=14))
    assert world.rows("select live from counted_stories where story_id = :id", id=story) == [{"live": False}]


def wait_unread(world: World, hours: int) -> list[int]:
    """Bad news of Acme that keeps coming while nothing is scored."""
    with world.engine.begin() as c:
        times = [NOW + timedelta(minutes=15 * n) for n in range(1, 4 * hours)]
        return [world._story(c, at, "Acme", BAD, scored_at=at + timedelta(days=30)) for at in times]


def test_while_the_scorer_is_dead_nothing_is_calm_again(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    burst(world, NOW, 12)
    world.story(NOW, "Elm", BAD, topic="macro")
    wait_unread(world, hours=40)
    end = NOW + timedelta(hours=40)
    detect(engine, rules, as_of=NOW)
    detect(engine, rules, as_of=end)
    assert alert_of(world, "Acme")["state"] in ("firing", "held")
    assert "resolve" not in {t[1] for t in told(world)}
    quiet = world.rows(
        "select distinct e.state from evaluations e join series s on s.id = e.series_id where s.key = 'Elm'"
        " and e.tick_at > :at",
        at=NOW + timedelta(hours=3),
    )
    assert quiet == [{"state": "no_data"}]
    for n in range(1, 32):  # the scorer is back, and news is read as it comes
        world.story(end + timedelta(hours=n), "Elm")
    end = NOW + timedelta(days=3)
    detect(engine, rules, as_of=end)
    with engine.connect() as connection:
        stored = read_stored(connection, NOW, end)
        evaluated = evaluate_stored(connection, stored, rules)
        moves, names = walk(evaluated), tuple(s for s, _ in stored.series)
        replayed = history_lines(evaluated, moves, names)
        live = alerts.read_history_lines(connection, NOW - timedelta(days=1), end)
    assert replayed == live
    assert any("company/Acme open" in line for line in live)
    assert any("company/Acme resolve" in line for line in live)
    shown = states(evaluated, moves)[[s.key for s in names].index("Elm")]
    kept = world.rows(
        "select e.tick_at, e.state from evaluations e join series s on s.id = e.series_id where s.key = 'Elm'"
    )
    drawn = {evaluated.tick_at(n): str(state) for n, state in enumerate(shown)}
    assert {r["tick_at"]: r["state"] for r in kept}.items() <= drawn.items()


def test_calm_does_not_count_where_only_a_challenger_has_read_what_is_new(
    world: World, engine: Engine, rules: Rules
) -> None:
    """What a rehearsal or the version before has read waits for the champion like the rest."""
    with engine.begin() as connection:
        v2 = models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=NOW).id
    world.archive_days(15)
    burst(world, NOW, 12)
    detect(engine, rules, as_of=NOW)
    for hours in range(2, 42, 2):
        at = NOW + timedelta(hours=hours)
        world.story(at, "Elm", model=v2, scored_at=at)
        detect(engine, rules, as_of=at)
    counted = (
        "select live, count(*) > 10 as many from counted_stories where model_version_id = :id group by 1"
    )
    assert world.rows(counted, id=v2) == [{"live": False, "many": True}], "too old for a champion: history"
    assert alert_of(world, "Acme")["state"] in ("firing", "held")
    assert "resolve" not in {t[1] for t in told(world)}


def test_stories_that_were_set_apart_keep_nothing_open(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    burst(world, NOW, 12)
    apart = [Apart(story, "failure", "broke the model") for story in wait_unread(world, hours=40)]
    with engine.begin() as connection:
        scores.set_apart(connection, world.model, apart, NOW)
    detect(engine, rules, as_of=NOW + timedelta(hours=40))
    assert alert_of(world, "Acme")["state"] == "resolved"


def test_bad_news_opens_an_alert_however_much_waits_to_be_read(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(15)
    wait_unread(world, hours=4)
    detect(engine, rules, as_of=NOW + timedelta(hours=3))
    burst(world, NOW + timedelta(hours=3, minutes=5), 12)
    detect(engine, rules, as_of=NOW + timedelta(hours=3, minutes=24))
    assert ("Acme", "open", "critical") in told(world)
