"""SIGKILL at any point of detect, and three at once: no alert lost, none told twice, and a replay finds what was found live."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from detect_world import BAD, COMPANIES, FINE, NOW, ROUTES, World, found, told
from forker import Forker
from sqlalchemy.engine import Engine

from pipeline.detect.course import walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored
from pipeline.detect.rules import parse_rules
from pipeline.detect.step import detect
from pipeline.store import alerts
from pipeline.store.engine import create_engine
from pipeline.store.server import Server

# DETECT_KILLS=50 gives the figure in bench/README.md.
KILLS = int(os.environ.get("DETECT_KILLS", "8"))
TICK = timedelta(minutes=15)
TICKS = 12 + 2 * KILLS


class Child(Forker):
    """The process that forks runs of detect."""

    def run(self, as_of: datetime, kill_after: float = 0.0) -> str:
        """How the run ended; killed after so many seconds if it has not ended by then."""
        return self.ask(f"{as_of.isoformat()} {kill_after}")


def troubled_days(world: World) -> None:
    """Ordinary news all the time, with a crisis of one company every four hours and one of a sector."""
    world.archive_days(15)
    names = list(COMPANIES)
    with world.engine.begin() as connection:
        for n in range(TICKS):
            at = NOW + TICK * n
            world._story(connection, at, names[n % 5])
            if n % 16 in (3, 4):
                for _ in range(4):
                    world._story(connection, at, "Acme", BAD, copies=1, topic="legal_regulation")
            if n % 16 in (9, 10):
                for bank in ("Birch Bank", "Cedar Bank", "Dogwood Bank"):
                    world._story(connection, at, bank, BAD, topic="corporate_debt")


# two runs per kill, each several seconds where others use the cores
@pytest.mark.timeout(300 + 20 * KILLS)
def test_killed_at_random_points(server: Server, engine: Engine, database_url: str) -> None:
    rules, chance = parse_rules(ROUTES), random.Random(20261123)
    world = World(engine)
    troubled_days(world)
    engine.dispose()
    undisturbed = f"{engine.url.database}_undisturbed"
    server.copy_database(str(engine.url.database), undisturbed)
    end = NOW + TICK * TICKS

    child = Child("detect_child.py", database_url)
    child.run(NOW)
    began, as_of = time.monotonic(), NOW + TICK
    child.run(as_of)
    typical, killed = time.monotonic() - began, 0
    while killed < KILLS or as_of < end - 4 * TICK:
        as_of = min(end, as_of + TICK)
        killed += child.run(as_of, chance.uniform(0, 2 * typical)) == "killed"
    before_end = len(world.rows("select from ticks"))
    assert child.run(end) == "exit 0"
    child.stop()

    calm = create_engine(server.url(undisturbed))
    for n in range(TICKS + 1):
        detect(calm, rules, as_of=NOW + TICK * n)
    expected, actual = found(calm), found(engine)
    calm.dispose()
    server.drop_database(undisturbed)
    for name, lines in expected.items():
        assert actual[name] == lines, name
    assert len(expected["messages"]) >= 2
    told = world.rows("select 1 from notifications group by alert_event_id, receiver having count(*) > 1")
    assert told == []

    with engine.connect() as connection:
        stored = read_stored(connection, NOW, end)
        evaluated = evaluate_stored(connection, stored, rules)
        replayed = history_lines(evaluated, walk(evaluated), tuple(s for s, _ in stored.series))
        live = alerts.read_history_lines(connection, NOW - timedelta(days=1), end)
    assert replayed == live
    print(
        f"{killed} kills, {before_end} of {TICKS} ticks by runs between them, {len(expected['alerts'])} alerts,"
        f" {len(expected['messages'])} messages: as undisturbed, byte for byte, and so is the replay"
    )


def test_the_order_of_stories_in_a_window_does_not_matter(server: Server, database_url: str) -> None:
    rules, name = parse_rules(ROUTES), database_url.rsplit("/", 1)[-1]
    left = []
    for seed in range(3):
        server.copy_database("template_undertow", f"{name}_{seed}")
        engine = create_engine(server.url(f"{name}_{seed}"))
        world = World(engine)
        world.archive_days(15)
        shuffled_day(world, random.Random(seed))
        for n in range(1, 11):
            detect(engine, rules, as_of=NOW + TICK * n)
        left.append(found(engine))
        engine.dispose()
        server.drop_database(f"{name}_{seed}")
    assert len(left[0]["messages"]) >= 1
    assert left[0] == left[1] == left[2]


def shuffled_day(world: World, chance: random.Random) -> None:
    """The same stories in each quarter of an hour, stored in any order, each in any minute of its quarter."""
    names = list(COMPANIES)
    start = NOW.replace(minute=0)
    with world.engine.begin() as connection:
        for n in range(10):
            stories = [(names[(n + k) % 5], k == 0, k) for k in range(4)]
            if n in (5, 6):
                stories += [("Acme", True, k) for k in range(10, 22)]
            chance.shuffle(stories)
            for company, bad, k in stories:
                at = start + TICK * n + timedelta(seconds=chance.randrange(900))
                p = BAD if bad else FINE
                title, feed = f"{company} {n} {k}", k % 3
                world._story(connection, at, company, p, title=title, feed=feed, copies=k % 2)


def test_two_detectors_at_once_evaluate_each_tick_once(engine: Engine) -> None:
    world, rules = World(engine), parse_rules(ROUTES)
    world.archive_days(15)
    for _ in range(12):
        world.story(NOW, "Acme", BAD)
    at = NOW + timedelta(hours=1)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: detect(engine, rules, as_of=at), range(3)))
    assert sum(r.ticks for r in reports) == len(world.rows("select 1 from ticks")) == 4
    assert [t[:2] for t in told(world)] == [("Acme", "open")]
