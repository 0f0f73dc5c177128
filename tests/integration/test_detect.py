"""Detection against a real database: what is counted, what fires, what is told, and that running again changes nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import detect_world
import pytest
import sqlalchemy as sa
from detect_world import BAD, COMPANIES, FINE, NOW, ROUTES, World
from sqlalchemy.engine import Engine

from pipeline.detect.course import states, walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored
from pipeline.detect.rules import Rules, parse_rules
from pipeline.detect.step import build_baselines, detect
from pipeline.store import alerts, models, notifications, scores
from pipeline.types import Apart, StoryScore


@pytest.fixture
def rules() -> Rules:
    return parse_rules(ROUTES)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def dump(world: World) -> str:
    """Everything that detect writes, in order, as text."""
    tables = (
        "windows",
        "counted_stories",
        "ticks",
        "evaluations",
        "spikes",
        "alerts",
        "alert_events",
        "notifications",
    )
    return json.dumps({t: world.rows(f"select * from {t} order by 1, 2, 3") for t in tables}, default=str)


def told(world: World) -> list[tuple[str, str, str]]:
    rows = world.rows(
        "select s.key, n.kind, a.severity from notifications n join alerts a on a.id = n.alert_id"
        " join series s on s.id = a.series_id order by n.id"
    )
    return [(r["key"], r["kind"], r["severity"]) for r in rows]


def send_all(world: World) -> None:
    """As if a notifier had been there."""
    with world.engine.begin() as connection:
        connection.execute(sa.text("update notifications set state = 'sent', attempts = 1"))


def test_a_crisis_fires_at_once_and_is_told_once(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days()
    for n in range(30):
        world.story(NOW, list(COMPANIES)[n % 5], published=NOW - timedelta(hours=n % 6))
    for n in range(15):
        world.story(NOW, "Acme", BAD, published=NOW - timedelta(hours=n % 6), topic="legal_regulation")
    first = detect(engine, rules, as_of=NOW)
    assert first.ticks == 1
    assert first.opened >= 1
    assert ("Acme", "open", "critical") in told(world)
    # sector, topic and everything hold the same stories: the same desk is not told again
    assert [t for t in told(world) if t[0] in ("pharma", "legal_regulation")] == []
    before = dump(world)
    assert detect(engine, rules, as_of=NOW).as_dict() == dict.fromkeys(first.as_dict(), 0)
    assert dump(world) == before


def test_the_evidence_names_what_it_rests_on(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days()
    for n in range(12):
        world.story(NOW, "Acme", BAD, feed=0 if n < 9 else 1, copies=4 if n == 0 else 0)
    detect(engine, rules, as_of=NOW)
    [alert] = world.rows(
        "select evidence, cause from alerts a join series s on s.id = a.series_id where s.key = 'Acme'"
    )
    card = alert["evidence"]
    assert (card["negative"], card["other"], card["sources"], card["copies"]) == (12, 0, 2, 4)
    assert card["share_now"] == 1.0
    assert 0.1 < card["share_usual"] < 0.4
    assert card["expected"] < 2
    assert card["p"] < 1e-4
    assert card["without_largest_story"]["would_fire"] is True
    assert card["without_largest_source"]["source"] == f"source {world.feeds[0]}"
    assert card["without_largest_source"]["would_fire"] is False
    assert len(card["stories"]) == 8
    assert card["stories"][0]["copies"] == 5
    assert {c["key"] for c in card["carried_by"]} == {"pharma", "markets"}
    assert len(card["chart"]) == 72
    assert card["chart"][-1]["negative"] == 12


def begin(world: World, engine: Engine, rules: Rules) -> datetime:
    """A detector that has closed the windows before 11:30; when the next news comes, 11:50."""
    world.archive_days()
    world.story(NOW - timedelta(minutes=60), "Elm")
    detect(engine, rules, as_of=NOW - timedelta(minutes=37))
    return NOW - timedelta(minutes=17)


def watch(engine: Engine, rules: Rules) -> None:
    """The runs of 12:01, 12:16 and 12:31."""
    for minutes in (-6, 9, 24):
        detect(engine, rules, as_of=NOW + timedelta(minutes=minutes))


def test_a_crisis_that_many_outlets_carry_is_told(world: World, engine: Engine, rules: Rules) -> None:
    at = begin(world, engine, rules)
    for _ in range(20):
        world.story(at, "Acme", BAD, copies=8, outlets=8, scored_at=at)
    watch(engine, rules)
    assert ("Acme", "open", "critical") in told(world)


MOVE_COPY = (
    "update articles set available_at = :at from (select id, row_number() over (partition by story_id order by id) as n"
    " from articles where story_id = any(:ids)) as place where place.id = articles.id and place.n = :n"
)


@pytest.mark.parametrize("after", [1, 20], ids=["scored in time", "scored when the window is closed"])
def test_a_copy_counts_once_whenever_its_story_is_scored(world: World, engine: Engine, after: int) -> None:
    rules = parse_rules(ROUTES + "\n[rule]\nmissed_copies = 0.02\n")
    at = begin(world, engine, rules)
    scored = at + timedelta(minutes=after)
    ids = [world.story(at, "Acme", BAD, copies=4, scored_at=scored) for _ in range(10)]
    with engine.begin() as connection:  # of each story a copy before it, one with it, and two that come later
        for n, minutes in ((2, -10), (4, 22), (5, 30)):
            parameters = {"at": at + timedelta(minutes=minutes), "ids": ids, "n": n}
            connection.execute(sa.text(MOVE_COPY), parameters)
    watch(engine, rules)
    counted = (
        "select sum(negative) as negative, sum(copies) as copies from windows w join series s on s.id = w.series_id"
        " where s.key = 'Acme'"
    )
    assert world.rows(counted) == [{"negative": 10, "copies": 40}]
    card = alert_of(world, "Acme")["evidence"]
    assert card["without_largest_story"]["would_fire"] is True
    assert card["score"] - 1.5 < card["without_largest_story"]["score"] < card["score"]


def test_what_one_wire_has_first_and_others_carry_is_told_with_all_its_sources(
    world: World, engine: Engine
) -> None:
    rules = parse_rules(ROUTES + "\n[rule]\ncritical = 50\nlearn_days = 1\n")
    at = begin(world, engine, rules)
    for _ in range(7):
        world.story(at, "Acme", BAD, feed=0, copies=2, outlets=2, scored_at=at)
    watch(engine, rules)
    alert = alert_of(world, "Acme")
    assert (alert["severity"], alert["told"], alert["cause"]) == ("warning", True, None)
    card = alert["evidence"]
    assert (card["sources"], card["copies"], card["stories"][0]["sources"]) == (3, 14, 3)
    assert card["without_largest_source"]["source"] == f"source {world.feeds[0]}"
    assert card["without_largest_source"]["would_fire"] is True


def alert_of(world: World, key: str) -> dict[str, Any]:
    [row] = world.rows(
        "select a.*, s.key from alerts a join series s on s.id = a.series_id where s.key = :key and s.kind <> 'topic'",
        key=key,
    )
    return row


def test_an_overlapping_sector_is_folded_and_a_later_bank_is_not(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(15)
    for bank, number in (("Birch Bank", 7), ("Cedar Bank", 7), ("Elm", 2)):
        for _ in range(number):
            world.story(NOW, bank, BAD, topic="corporate_debt")
    detect(engine, rules, as_of=NOW)
    assert told(world) == [("banks", "open", "critical")]
    folded = world.rows(
        "select s.key, c.key as carrier from alerts a join series s on s.id = a.series_id"
        " join alerts i on i.id = a.inhibited_by join series c on c.id = i.series_id where a.fired_at is not null"
    )
    assert {(f["key"], f["carrier"]) for f in folded} >= {
        ("Birch Bank", "banks"),
        ("Cedar Bank", "banks"),
        ("corporate_debt", "banks"),
    }
    for _ in range(6):  # hours later: the sector was told, this was not
        world.story(NOW + timedelta(hours=5), "Dogwood Bank", BAD)
    detect(engine, rules, as_of=NOW + timedelta(hours=5, minutes=14))
    assert ("Dogwood Bank", "open", "critical") in told(world)
    assert [t for t in told(world) if t[0] == "banks"] == [("banks", "open", "critical")]


def test_a_folded_alert_with_news_of_its_own_is_told_once(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for n in range(14):
        world.story(NOW, ("Birch Bank", "Cedar Bank")[n % 2], BAD, topic="corporate_debt")
    detect(engine, rules, as_of=NOW)
    assert [t[0] for t in told(world)] == ["banks"]
    for hour in range(3, 8):
        for _ in range(3):
            world.story(NOW + timedelta(hours=hour), "Birch Bank", BAD)
        detect(engine, rules, as_of=NOW + timedelta(hours=hour, minutes=14))
    assert [t for t in told(world) if t[0] != "banks"] == [("Birch Bank", "open", "critical")]
    assert alert_of(world, "Birch Bank")["inhibited_by"] is None
    with engine.connect() as connection:
        stored = read_stored(connection, NOW, NOW + timedelta(hours=7))
        evaluated = evaluate_stored(connection, stored, rules)
        replayed = history_lines(evaluated, walk(evaluated), tuple(s for s, _ in stored.series))
        live = alerts.read_history_lines(connection, NOW - timedelta(days=1), NOW + timedelta(hours=7))
    assert replayed == live


def test_late_scores_change_no_evaluated_window(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    world.story(NOW, "Elm")
    detect(engine, rules, as_of=NOW)  # closes the window that starts at 12:00
    before = world.rows("select * from windows where window_start < '2026-05-20 12:15Z' order by 1, 2, 3")
    for n in range(10):  # they arrived before that tick, and get their scores only now
        world.story(NOW, "Acme", BAD, scored_at=NOW + timedelta(minutes=20, seconds=n))
    for _ in range(2):
        world.story(NOW - timedelta(hours=8), "Birch Bank", BAD, scored_at=NOW + timedelta(minutes=20))
    report = detect(engine, rules, as_of=NOW + timedelta(minutes=24))
    assert (report.counted, report.history, report.opened) == (10, 2, 4)
    live = "select sum(negative) as n from windows w join series s on s.id = w.series_id where s.key = :key"
    assert world.rows(live, key="Acme")[0]["n"] == 10
    assert world.rows(live, key="Birch Bank")[0]["n"] == 0
    after = world.rows("select * from windows where window_start < '2026-05-20 12:15Z' order by 1, 2, 3")
    same = {(w["series_id"], w["window_start"]): (w["negative"], w["other"]) for w in after}
    assert all(same[w["series_id"], w["window_start"]] == (w["negative"], w["other"]) for w in before)


def test_live_missed_and_replayed_are_the_same(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for n in range(20):
        at = NOW + timedelta(minutes=15 * n)
        if n < 3 or n in (8, 9):
            for _ in range(4):
                world.story(at, "Acme", BAD, copies=1)
        world.story(at, "Elm")
        if n not in (4, 5, 6):  # three runs are missed, and made up for
            detect(engine, rules, as_of=at + timedelta(minutes=14))
    end = NOW + timedelta(hours=5)
    ticks = world.rows("select tick_at from ticks order by 1")
    assert len(ticks) == 20
    with engine.connect() as connection:
        stored = read_stored(connection, NOW, end)
        evaluated = evaluate_stored(connection, stored, rules)
        replayed = history_lines(evaluated, walk(evaluated), tuple(s for s, _ in stored.series))
        live = alerts.read_history_lines(connection, NOW - timedelta(days=1), end + timedelta(days=1))
    assert any("company/Acme open" in line for line in live)
    assert replayed == live


def test_it_resolves_and_says_so_and_a_silence_holds_back(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for _ in range(12):
        world.story(NOW, "Acme", BAD)
    with engine.begin() as connection:
        alerts.silence(connection, "sector", "pharma", timedelta(hours=2), "sofia", "known", NOW)
    detect(engine, rules, as_of=NOW)
    with engine.begin() as connection:
        assert alerts.acknowledge(connection, alert_of(world, "Acme")["id"], "sofia", NOW)
    assert alert_of(world, "pharma")["silenced"] is True
    detect(engine, rules, as_of=NOW + timedelta(hours=40))
    ended = alert_of(world, "Acme")
    assert (ended["state"], ended["acknowledged_by"]) == ("resolved", "sofia")
    assert [t for t in told(world) if t[0] == "Acme"] == [
        ("Acme", "open", "critical"),
        ("Acme", "resolve", "critical"),
    ]
    assert [t for t in told(world) if t[0] == "pharma"] == []


def test_who_was_told_hears_of_the_end_under_a_silence(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for _ in range(12):
        world.story(NOW, "Acme", BAD)
    detect(engine, rules, as_of=NOW)
    with engine.begin() as connection:
        alerts.silence(connection, "company", "Acme", timedelta(hours=60), "sofia", "known", NOW)
    detect(engine, rules, as_of=NOW + timedelta(hours=40))
    assert alert_of(world, "Acme")["state"] == "resolved"
    assert told(world) == [("Acme", "open", "critical"), ("Acme", "resolve", "critical")]


def test_a_reopening_is_told_where_the_alert_was_folded_before(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(15)
    for _ in range(8):
        world.story(NOW, "Acme", BAD, topic="corporate_debt")
    detect(engine, rules, as_of=NOW)
    assert told(world) == [("Acme", "open", "critical")]
    detect(engine, rules, as_of=NOW + timedelta(hours=32))
    topic = "select a.* from alerts a join series s on s.id = a.series_id where s.key = 'corporate_debt'"
    [ended] = world.rows(topic)
    assert (ended["state"], ended["told"]) == ("resolved", False)
    again = NOW + timedelta(hours=33)
    for _ in range(8):  # of no company that was told of
        world.story(again, None, BAD, topic="corporate_debt")
    detect(engine, rules, as_of=again + timedelta(minutes=14))
    [alert] = world.rows(topic)
    assert (alert["id"], alert["reopened"], alert["told"]) == (ended["id"], 1, True)
    assert [t for t in told(world) if t[0] != "Acme"] == [("corporate_debt", "open", "critical")]
    [event] = world.rows(
        "select e.kind, e.at, e.id from notifications n join alert_events e on e.id = n.alert_event_id"
        " where n.alert_id = :id",
        id=alert["id"],
    )
    assert event["kind"] == "reopen"  # as a replay has it
    with engine.connect() as connection:
        [stored] = [e for e in alerts.read_episodes(connection, again) if e.id == alert["id"]]
    assert (stored.shown_event_id, stored.shown_at) == (event["id"], event["at"])
    detect(engine, rules, as_of=again + timedelta(hours=40))
    assert [t[1] for t in told(world) if t[0] == "corporate_debt"] == ["open", "resolve"]


def test_what_was_folded_stays_so_when_both_reopen(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for _ in range(8):
        world.story(NOW, "Acme", BAD, topic="corporate_debt")
    detect(engine, rules, as_of=NOW)
    detect(engine, rules, as_of=NOW + timedelta(hours=32))
    before = [("Acme", "open", "critical"), ("Acme", "resolve", "critical")]
    assert told(world) == before
    send_all(world)
    again = NOW + timedelta(hours=33)
    for _ in range(8):
        world.story(again, "Acme", BAD, topic="corporate_debt")
    detect(engine, rules, as_of=again + timedelta(minutes=14))
    assert {
        r["key"]
        for r in world.rows(
            "select s.key from alerts a join series s on s.id = a.series_id where a.reopened = 1"
        )
    } >= {"Acme", "pharma", "corporate_debt"}
    assert told(world) == before


def test_the_end_tells_of_the_height_and_not_of_the_opening(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(15)
    for n in range(12):
        world.story(NOW, "Acme", BAD, title=f"opening {n}")
    detect(engine, rules, as_of=NOW)
    for n in range(24):
        world.story(NOW + timedelta(minutes=40), "Acme", BAD, title=f"height {n}", copies=1)
    detect(engine, rules, as_of=NOW + timedelta(hours=40))
    [opened, ended] = [
        r["payload"]
        for r in world.rows(
            "select n.payload from notifications n join alerts a on a.id = n.alert_id join series s on"
            " s.id = a.series_id where s.key = 'Acme' order by n.id"
        )
    ]
    assert (opened["negative"], ended["negative"]) == (12, 36)
    assert ended["score"] > opened["score"]
    assert {s["title"].split()[0] for s in ended["stories"]} == {"height"}  # more copies, so they come first
    assert ended["without_largest_story"] is None
    assert alert_of(world, "Acme")["evidence"]["negative"] == 36


def test_a_dead_feed_freezes_and_a_promotion_does_not_fire(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(15)
    world.fetch(NOW - timedelta(minutes=3))
    for _ in range(12):
        world.story(NOW, "Acme", BAD)
    detect(engine, rules, as_of=NOW)
    for n in range(1, 60):  # nothing is fetched any more: no data is not good news
        world.fetch(NOW + timedelta(minutes=15 * n), outcome="error")
    detect(engine, rules, as_of=NOW + timedelta(hours=14))
    assert alert_of(world, "Acme")["state"] in ("firing", "held")
    states = world.rows(
        "select distinct state from evaluations where tick_at > :at", at=NOW + timedelta(hours=13)
    )
    assert {r["state"] for r in states} <= {"firing", "held", "no_data", "pending"}
    opened = len(world.rows("select 1 from alert_events where kind = 'open'"))
    with engine.begin() as connection:
        models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=NOW)
        models.point_alias(connection, "v2", by="test", reason="better", as_of=NOW + timedelta(hours=14))
    detect(engine, rules, as_of=NOW + timedelta(hours=26))
    assert len(world.rows("select 1 from alert_events where kind = 'open'")) == opened


def test_two_detectors_at_once_evaluate_each_tick_once(world: World, engine: Engine, rules: Rules) -> None:
    world.archive_days(15)
    for _ in range(12):
        world.story(NOW, "Acme", BAD)
    at = NOW + timedelta(hours=1)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: detect(engine, rules, as_of=at), range(3)))
    assert sum(r.ticks for r in reports) == len(world.rows("select 1 from ticks")) == 4
    assert [t[:2] for t in told(world)] == [("Acme", "open")]


NIGHT = '\n[[quiet_hours]]\nhours = "17:00-23:30"\n'
WARNINGS = "\n[rule]\ncritical = 50\nlearn_days = {}\n"
TOPICS = ("legal_regulation", "markets", "macro")


def burst(world: World, at: datetime, number: int, feeds: tuple[int, ...] = (0, 1, 2)) -> None:
    """Bad news of Acme from some feeds, of several topics."""
    for n in range(number):
        world.story(at, "Acme", BAD, feed=feeds[n % len(feeds)], topic=TOPICS[n % 3], scored_at=at)


def pending_of(world: World, key: str) -> list[str]:
    query = (
        "select n.kind from notifications n join alerts a on a.id = n.alert_id join series s on s.id = a.series_id"
        " where s.key = :key and n.state = 'pending' order by n.id"
    )
    return [r["kind"] for r in world.rows(query, key=key)]


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
