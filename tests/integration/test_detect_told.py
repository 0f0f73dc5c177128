"""What people are told of an alert as it goes on: its end, doubts that pass, silences, quiet hours, a bad day for all."""

from __future__ import annotations

from datetime import timedelta

import detect_world
import pytest
import sqlalchemy as sa
from detect_world import (
    BAD,
    FINE,
    NIGHT,
    NOW,
    ROUTES,
    TOPICS,
    WARNINGS,
    World,
    alert_of,
    burst,
    dump,
    pending_of,
    send_all,
    told,
)
from sqlalchemy.engine import Engine

from pipeline.detect.course import walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored
from pipeline.detect.rules import Rules, parse_rules
from pipeline.detect.step import detect
from pipeline.store import alerts, notifications


@pytest.fixture
def rules() -> Rules:
    return parse_rules(ROUTES)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.mark.parametrize("tried", [False, True], ids=["waits for the morning", "receiver is down"])
def test_an_end_that_nobody_was_told_of_is_void_once_the_alert_is_open_again(
    world: World, engine: Engine, tried: bool
) -> None:
    rules = parse_rules(ROUTES + NIGHT)
    world.archive_days()
    burst(world, NOW, 12)
    detect(engine, rules, as_of=NOW)
    send_all(world)
    detect(engine, rules, as_of=NOW + timedelta(hours=31))
    assert alert_of(world, "Acme")["state"] == "resolved"
    assert pending_of(world, "Acme") == ["resolve"]
    if tried:
        with engine.begin() as connection:
            connection.execute(
                sa.text("update notifications set attempts = 3, error = 'refused' where state = 'pending'")
            )
    burst(world, NOW + timedelta(hours=31, minutes=10), 14)
    detect(engine, rules, as_of=NOW + timedelta(hours=31, minutes=45))
    again = alert_of(world, "Acme")
    assert (again["state"], again["severity"], again["reopened"]) == ("firing", "critical", 1)
    assert pending_of(world, "Acme") == []
    detect(engine, rules, as_of=NOW + timedelta(hours=70))
    assert alert_of(world, "Acme")["state"] == "resolved"
    assert [t[:2] for t in told(world) if t[0] == "Acme"] == [("Acme", "open"), ("Acme", "resolve")]


def test_an_end_that_is_on_its_way_was_told_and_the_reopening_is_silent(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days()
    burst(world, NOW, 12)
    detect(engine, rules, as_of=NOW)
    send_all(world)
    ended = NOW + timedelta(hours=31)
    detect(engine, rules, as_of=ended)
    with engine.begin() as connection:
        claim = notifications.claim(connection, "desk", ended)
    assert claim is not None
    burst(world, ended + timedelta(minutes=10), 14)
    detect(engine, rules, as_of=ended + timedelta(minutes=45))
    assert alert_of(world, "Acme")["memory"]["silent"] is True
    assert pending_of(world, "Acme") == ["resolve"]
    detect(engine, rules, as_of=ended + timedelta(hours=40))
    assert alert_of(world, "Acme")["state"] == "resolved"
    assert pending_of(world, "Acme") == ["resolve"], "nobody hears twice that it is over"


def test_a_warning_that_ends_and_reopens_in_quiet_hours_is_told_as_open_after_them(
    world: World, engine: Engine
) -> None:
    rules = parse_rules(ROUTES + '\n[[quiet_hours]]\nweekdays = "wed-fri"\n' + WARNINGS.format(1))
    world.archive_days()
    burst(world, NOW, 10)
    detect(engine, rules, as_of=NOW + timedelta(minutes=39))
    assert pending_of(world, "Acme") == ["open"]
    ended = NOW + timedelta(hours=31)
    detect(engine, rules, as_of=ended)
    assert pending_of(world, "Acme") == ["open", "resolve"]
    with engine.begin() as connection:  # a sender was at it and came no further
        connection.execute(
            sa.text(
                "update notifications n set told_with_id = later.id from notifications later"
                " where n.kind = 'open' and later.kind = 'resolve' and later.alert_id = n.alert_id"
            )
        )
    burst(world, ended + timedelta(minutes=10), 14)
    detect(engine, rules, as_of=ended + timedelta(minutes=45))
    assert alert_of(world, "Acme")["state"] == "firing"
    assert pending_of(world, "Acme") == ["open"]
    with engine.begin() as connection:
        claim = notifications.claim(connection, "desk", NOW + timedelta(hours=60))
    assert claim is not None
    assert (claim.kind, claim.payload["series"]["key"]) == ("open", "Acme")


def test_a_warning_of_one_source_is_told_once_others_report_it(world: World, engine: Engine) -> None:
    rules = parse_rules(ROUTES + WARNINGS.format(1))
    world.archive_days()
    burst(world, NOW, 7, feeds=(0,))
    detect(engine, rules, as_of=NOW + timedelta(minutes=24))
    doubtful = alert_of(world, "Acme")
    assert (doubtful["state"], doubtful["told"], doubtful["cause"]) == ("firing", False, "one_source")
    burst(world, NOW + timedelta(minutes=25), 12, feeds=(1, 2))
    detect(engine, rules, as_of=NOW + timedelta(minutes=39))
    known = alert_of(world, "Acme")
    assert (known["told"], known["cause"], known["evidence"]["sources"]) == (True, None, 3)
    assert told(world) == [("Acme", "open", "warning")]
    before = dump(world)
    detect(engine, rules, as_of=NOW + timedelta(minutes=39))
    assert dump(world) == before
    detect(engine, rules, as_of=NOW + timedelta(hours=31))
    assert [t[1] for t in told(world) if t[0] == "Acme"] == ["open", "resolve"]
    with engine.connect() as connection:
        stored = read_stored(connection, NOW, NOW + timedelta(hours=31))
        evaluated = evaluate_stored(connection, stored, rules)
        replayed = history_lines(evaluated, walk(evaluated), tuple(s for s, _ in stored.series))
        live = alerts.read_history_lines(connection, NOW - timedelta(days=1), NOW + timedelta(hours=31))
    assert replayed == live


def test_a_warning_of_a_series_that_was_learning_is_told_once_it_has_learnt(
    world: World, engine: Engine
) -> None:
    learning, learnt = (parse_rules(ROUTES + WARNINGS.format(days)) for days in (60, 1))
    world.archive_days()
    burst(world, NOW, 10)
    detect(engine, learning, as_of=NOW + timedelta(minutes=39))
    held_back = alert_of(world, "Acme")
    assert (held_back["state"], held_back["told"], held_back["cause"]) == ("firing", False, None)
    detect(engine, learnt, as_of=NOW + timedelta(minutes=54))
    assert told(world) == [("Acme", "open", "warning")]
    assert "learning" not in alert_of(world, "Acme")["evidence"]


def test_what_no_route_wanted_when_its_doubt_passed_is_not_told_later(world: World, engine: Engine) -> None:
    nobody = ROUTES + 'keys = ["none"]\n'
    world.archive_days()
    burst(world, NOW, 10)
    detect(engine, parse_rules(nobody + WARNINGS.format(60)), as_of=NOW + timedelta(minutes=24))
    assert alert_of(world, "Acme")["evidence"]["learning"] is True
    detect(engine, parse_rules(nobody + WARNINGS.format(1)), as_of=NOW + timedelta(minutes=39))
    detect(engine, parse_rules(ROUTES + WARNINGS.format(1)), as_of=NOW + timedelta(minutes=54))
    assert alert_of(world, "Acme")["state"] == "firing"
    assert [t for t in told(world) if t[0] == "Acme"] == []


def test_what_was_folded_and_then_in_doubt_is_looked_at_again(world: World, engine: Engine) -> None:
    learning, learnt = (parse_rules(ROUTES + WARNINGS.format(days)) for days in (60, 1))
    world.archive_days(15)
    for n in range(14):
        world.story(NOW, ("Birch Bank", "Cedar Bank")[n % 2], BAD, topic="corporate_debt")
    detect(engine, learnt, as_of=NOW + timedelta(minutes=24))
    assert [t[0] for t in told(world)] == ["banks"]
    for hour in range(3, 8):
        for _ in range(3):
            world.story(NOW + timedelta(hours=hour), "Birch Bank", BAD)
        detect(engine, learning, as_of=NOW + timedelta(hours=hour, minutes=14))
    assert [t[0] for t in told(world)] == ["banks"]
    detect(engine, learnt, as_of=NOW + timedelta(hours=7, minutes=29))
    assert ("Birch Bank", "open", "warning") in told(world)


def test_a_silence_whose_end_was_told_holds_nothing_back(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days()
    world.story(NOW, "Elm")
    detect(engine, rules, as_of=NOW)
    ends = NOW + timedelta(minutes=24)  # 12:31, after a tick that detect is late for
    with engine.begin() as connection:
        alerts.silence(connection, "company", "Acme", ends - NOW, "ann", "maintenance", NOW)
    burst(world, NOW + timedelta(minutes=20), 12)
    with engine.begin() as connection:
        [silence] = notifications.ended_silences(connection, ends)
        assert silence["held_back"] == []
        notifications.mark_silence_told(connection, silence["id"], ends)
    detect(engine, rules, as_of=ends + timedelta(minutes=1))
    acme = alert_of(world, "Acme")
    assert (acme["told"], acme["silenced"]) == (True, False)
    assert told(world) == [("Acme", "open", "critical")]


def test_a_silence_is_not_told_of_as_ended_while_a_tick_is_judged_under_it(
    world: World, engine: Engine
) -> None:
    with engine.begin() as connection:
        alerts.silence(connection, "company", "Acme", timedelta(minutes=24), "ann", "maintenance", NOW)
    late = NOW + timedelta(minutes=25)
    with engine.begin() as tick, engine.begin() as sender:
        assert len(alerts.active_silences(tick, NOW + timedelta(minutes=23))) == 1
        assert notifications.ended_silences(sender, late) == []
    with engine.begin() as sender:
        assert len(notifications.ended_silences(sender, late)) == 1


MANY = {f"Firm {n:02d}": f"sector {n % 10}" for n in range(40)}


@pytest.mark.parametrize("noticed", [False, True], ids=["folded into a topic", "told before"])
def test_a_bad_day_that_ramps_up_is_told_as_market_wide_and_its_sectors_are_not(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch, noticed: bool
) -> None:
    monkeypatch.setattr(detect_world, "COMPANIES", MANY)
    world, firms, first = World(engine), list(MANY), NOW - timedelta(minutes=37)
    with engine.begin() as c:
        for n in range(16 * 40 * 2):  # 16 days, 40 firms, two stories each
            at = NOW - timedelta(days=1 + n // 80) + timedelta(minutes=(n * 37) % 1440 - 720)
            bad = BAD if n % 5 == 0 else FINE
            world._story(c, at, firms[n % 40], bad, backfilled=True, topic=TOPICS[n // 40 % 2])
        world._story(c, NOW - timedelta(minutes=60))
        for n in range(14 if noticed else 0):
            world._story(c, first, None, BAD, topic=TOPICS[n % 2], scored_at=first + timedelta(minutes=5))
    for tick in range(14):
        at = first + timedelta(minutes=15 * tick)
        detect(engine, rules, as_of=at)
        with engine.begin() as c:  # from the fourth quarter on a third of the firms has bad news in each
            for n in [n for n in range(40) if tick >= 4 and (n + tick) % 3 == 0]:
                topic, scored_at = TOPICS[noticed and n % 2], at + timedelta(minutes=5)
                world._story(c, at + timedelta(minutes=3), firms[n], BAD, topic=topic, scored_at=scored_at)
    factors = [row["market_factor"] for row in world.rows("select market_factor from ticks order by tick_at")]
    assert any(1.2 < factor < 1.5 for factor in factors)  # everything fires before the factor says so
    whole = alert_of(world, "all")
    assert (whole["told"], whole["cause"], whole["inhibited_by"]) == (True, "market_wide", None)
    assert [t[:2] for t in told(world)] == [("legal_regulation", "open")] * (not noticed) + [("all", "open")]
    sectors = world.rows(
        "select a.inhibited_by from alerts a join series s on s.id = a.series_id where s.kind = 'sector'"
        " and a.fired_at is not null"
    )
    assert sectors
    assert all(row["inhibited_by"] for row in sectors)
