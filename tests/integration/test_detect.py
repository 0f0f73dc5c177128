"""Detection against a real database: what is counted, what fires, what is told, and that running again changes nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from pipeline.detect.course import walk
from pipeline.detect.replay import evaluate_stored, history_lines, read_stored
from pipeline.detect.rules import Rules, parse_rules
from pipeline.detect.step import detect
from pipeline.store import alerts, models, scores
from pipeline.types import Probabilities, StoryScore

NOW = datetime(2026, 5, 20, 12, 7, tzinfo=UTC)
BAD, FINE = Probabilities(0.9, 0.08, 0.02), Probabilities(0.05, 0.8, 0.15)
ROUTES = """
[receivers.desk]
kind = "email"
to = ["desk@example.org"]
[[routes]]
receivers = ["desk"]
"""
COMPANIES = {
    "Acme": "pharma",
    "Birch Bank": "banks",
    "Cedar Bank": "banks",
    "Dogwood Bank": "banks",
    "Elm": "retail",
}


@pytest.fixture
def rules() -> Rules:
    return parse_rules(ROUTES)


STORY = sa.text(
    "insert into stories (title, text, text_hash, language, first_seen_at, available_at, last_seen_at, backfilled,"
    " copies) values (:t, :t, decode(md5(:t), 'hex'), 'en', :at, :at, :at, :b, :n) returning id"
)
ARTICLE = sa.text(
    "with article as (insert into articles (feed_id, item_key, source, title, published_at, date_status, first_seen_at,"
    " event_at, available_at, backfilled, content_hash, story_id, story_match) values (:feed, decode(md5(:k), 'hex'),"
    " :source, :t, :event, 'ok', :at, :event, :at, :b, '', :story, :m) returning id)"
    " update stories set first_article_id = article.id from article where stories.id = :story and :m = 'first'"
)


class World:
    """Stories with their scores, put straight into the tables."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.number = 0
        with engine.begin() as c:
            self.model = models.register_model(c, version="v1", path="starter", manifest={}, as_of=NOW).id
            models.point_alias(c, "v1", by="test", reason="test", as_of=NOW - timedelta(days=400))
            self.feeds = [self._feed(c, name, "file") for name in ("wire", "ledger", "blog")]
            self.archive = self._feed(c, "import:archive", "import")
            self.company = {
                name: c.execute(
                    sa.text(
                        "insert into companies (name, sector, added_at) values (:n, :s, :at) returning id"
                    ),
                    {"n": name, "s": sector, "at": NOW - timedelta(days=400)},
                ).scalar_one()
                for name, sector in COMPANIES.items()
            }

    def _feed(self, c: sa.Connection, name: str, origin: str) -> int:
        query = (
            "insert into feeds (name, url, title, origin, added_at) values (:n, :n, :n, :o, :at) returning id"
        )
        return c.execute(
            sa.text(query), {"n": name, "o": origin, "at": NOW - timedelta(days=100)}
        ).scalar_one()

    def story(self, at: datetime, company: str | None = None, p: Probabilities = FINE, **kwargs: Any) -> int:
        with self.engine.begin() as c:
            return self._story(c, at, company, p, **kwargs)

    def _story(
        self,
        c: sa.Connection,
        at: datetime,
        company: str | None = None,
        p: Probabilities = FINE,
        *,
        published: datetime | None = None,
        backfilled: bool = False,
        topic: str = "markets",
        feed: int | None = None,
        copies: int = 0,
        model: int | None = None,
        scored_at: datetime | None = None,
    ) -> int:
        self.number += 1
        title = f"story {self.number} {'bad' if p is BAD else 'fine'}"
        feed_id = self.archive if backfilled else self.feeds[self.number % 3 if feed is None else feed]
        story_id = c.execute(STORY, {"t": title, "at": at, "b": backfilled, "n": 1 + copies}).scalar_one()
        row = {
            "feed": feed_id,
            "source": f"source {feed_id}",
            "t": title,
            "at": at,
            "event": published or at,
            "b": backfilled,
            "story": story_id,
        }
        names = [{**row, "k": f"{title} {n}", "m": "near_copy" if n else "first"} for n in range(1 + copies)]
        c.execute(ARTICLE, names)
        companies = {self.company[company]: p} if company else {}
        score = StoryScore(story_id, p, companies, {topic: 0.9})
        scored_at = scored_at or max(at, NOW - timedelta(days=2))
        scores.write_scores(c, model or self.model, [score], {story_id: b"x" * 16}, scored_at)
        return int(story_id)

    def archive_days(self, days: int = 20) -> None:
        """About 20 stories a day, a quarter of them negative, imported: published long before they came."""
        names, topics = list(COMPANIES), ("markets", "macro", "legal_regulation")
        with self.engine.begin() as c:
            for n in range(days * 20):
                at = NOW - timedelta(days=1 + n // 20) + timedelta(minutes=(n * 37) % 720 - 360)
                p = BAD if n % 4 == 0 else FINE
                self._story(c, at, names[n % 5], p, backfilled=True, topic=topics[n % 3])

    def fetch(self, at: datetime, outcome: str = "ok") -> None:
        """Every feed was polled then."""
        query = "insert into feed_fetches (feed_id, started_at, outcome) values (:f, :at, :o)"
        with self.engine.begin() as c:
            c.execute(sa.text(query), [{"f": f, "at": at, "o": outcome} for f in self.feeds])

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as c:
            return [dict(r._mapping) for r in c.execute(sa.text(query), parameters)]


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


def alert_of(world: World, key: str) -> dict[str, Any]:
    [row] = world.rows(
        "select a.*, s.key from alerts a join series s on s.id = a.series_id where s.key = :key and s.kind <> 'topic'",
        key=key,
    )
    return row


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
    assert (ended["state"], ended["acknowledged_by"]) == ("resolved", None)
    assert [t for t in told(world) if t[0] == "Acme"] == [
        ("Acme", "open", "critical"),
        ("Acme", "resolve", "critical"),
    ]
    assert [t for t in told(world) if t[0] == "pharma"] == []


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
        models.register_model(connection, version="v2", path="starter", manifest={}, as_of=NOW)
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
