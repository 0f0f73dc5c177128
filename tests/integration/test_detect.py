"""Detection against a real database: what is counted, what fires, what is told, and that running again changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from detect_world import (
    BAD,
    COMPANIES,
    NOW,
    ROUTES,
    World,
    alert_of,
    dump,
    send_all,
    told,
)
from sqlalchemy.engine import Engine

from pipeline.detect.course import walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored, replay_history
from pipeline.detect.rules import Rules, parse_rules
from pipeline.detect.step import detect
from pipeline.store import alerts, models, scores
from pipeline.types import StoryScore


@pytest.fixture
def rules() -> Rules:
    return parse_rules(ROUTES)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


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


def test_a_story_that_the_next_champion_reads_again_is_live_once(
    world: World, engine: Engine, rules: Rules
) -> None:
    at = begin(world, engine, rules)
    story = world.story(at, "Acme", BAD, scored_at=at)
    detect(engine, rules, as_of=NOW - timedelta(minutes=6))
    with engine.begin() as connection:
        again = models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=at).id
        models.point_alias(connection, "v2", by="test", reason="better", as_of=NOW - timedelta(minutes=5))
        verdict = StoryScore(story, BAD, {world.company["Acme"]: BAD}, {"markets": 0.9})
        scores.write_scores(connection, again, [verdict], {story: b"x" * 16}, NOW - timedelta(minutes=4))
    assert detect(engine, rules, as_of=NOW + timedelta(minutes=9)).ticks == 1
    counted = "select model_version_id as model, live from counted_stories where story_id = :story order by 1"
    assert world.rows(counted, story=story) == [
        {"model": world.model, "live": True},
        {"model": again, "live": False},
    ]


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


def test_a_replay_of_days_that_an_archive_brought_finds_their_surge(
    world: World, engine: Engine, rules: Rules
) -> None:
    world.archive_days(20)
    surge = NOW - timedelta(days=3)
    for _ in range(8):
        world.story(surge, "Acme", BAD, backfilled=True)
    detect(engine, rules, as_of=NOW)
    around = timedelta(hours=6)
    report = replay_history(engine, rules, rules, surge - around, surge + around, fit=True)
    assert "company/Acme" in {alert["series"] for alert in report["alerts"]}
    assert report["fitted"]["critical"] >= report["fitted"]["warning"] > 0.5, (
        "what an archive brought is no label"
    )


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
