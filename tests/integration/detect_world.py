"""A newsroom for the tests of detect: stories with their scores, put straight into the tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from pipeline.store import models, scores
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
NIGHT = '\n[[quiet_hours]]\nhours = "17:00-23:30"\n'
WARNINGS = "\n[rule]\ncritical = 50\nlearn_days = {}\n"
TOPICS = ("legal_regulation", "markets", "macro")
COMPANIES = {
    "Acme": "pharma",
    "Birch Bank": "banks",
    "Cedar Bank": "banks",
    "Dogwood Bank": "banks",
    "Elm": "retail",
}


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
SOURCES = sa.text("update stories set sources = :n where id = :story")


class World:
    """Stories with their scores, put straight into the tables."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.number = 0
        with engine.begin() as c:
            self.model = models.register_model(c, version="v1", path="nowhere", manifest={}, as_of=NOW).id
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
        outlets: int = 0,
        model: int | None = None,
        scored_at: datetime | None = None,
        title: str | None = None,
    ) -> int:
        self.number += 1
        title = title or f"story {self.number} {'bad' if p is BAD else 'fine'}"
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
        for n, copy in enumerate(names[1:] if outlets else []):
            copy["source"] = f"outlet {n % outlets}"
        c.execute(ARTICLE, names)
        c.execute(SOURCES, {"story": story_id, "n": 1 + min(copies, outlets)})
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


# What detect leaves behind, without surrogate keys and without when it was looked at.
FOUND = {
    "counted": "select story.title, counted.window_start, counted.live from counted_stories counted"
    " join stories story on story.id = counted.story_id",
    "windows": "select s.kind, s.key, w.window_start, w.negative, w.other, w.negative_history, w.other_history,"
    " w.copies from windows w join series s on s.id = w.series_id",
    "ticks": "select tick_at, rule_version, market_factor, coverage, details from ticks",
    "evaluations": "select s.kind, s.key, e.tick_at, e.window_hours, e.negative, e.other, e.expected, e.variance, e.p,"
    " e.score, e.state from evaluations e join series s on s.id = e.series_id",
    "spikes": "select s.kind, s.key, p.tick_at, p.window_start, p.window_end, p.negative, p.other, p.expected, p.p,"
    " p.score, p.severity, a.pending_at from spikes p join series s on s.id = p.series_id"
    " left join alerts a on a.id = p.alert_id",
    "alerts": "select s.kind, s.key, a.state, a.severity, a.pending_at, a.fired_at, a.last_crossed_at, a.resolved_at,"
    " a.reopened, a.told, a.cause, a.peak_score, a.memory, a.evidence, u.kind as under_kind, u.key as under"
    " from alerts a join series s on s.id = a.series_id left join alerts i on i.id = a.inhibited_by"
    " left join series u on u.id = i.series_id",
    "events": "select s.kind as series_kind, s.key, a.pending_at, e.at, e.kind, e.severity, e.detail"
    " from alert_events e join alerts a on a.id = e.alert_id join series s on s.id = a.series_id",
    "messages": "select s.kind as series_kind, s.key, e.at, n.kind, n.receiver, n.payload from notifications n"
    " join alert_events e on e.id = n.alert_event_id join alerts a on a.id = n.alert_id"
    " join series s on s.id = a.series_id",
}
# Of a story these change with the order in which stories are stored, and with the minute in which they came.
OF_ORDER = {"story_id", "first_seen_at", "published_at", "url"}


def found(engine: Engine) -> dict[str, list[str]]:
    """Everything in FOUND as sorted lines of text, to be compared byte for byte."""
    with engine.connect() as c:
        rows = {
            name: [_plain(dict(r._mapping)) for r in c.execute(sa.text(query))]
            for name, query in FOUND.items()
        }
    return {
        name: sorted(json.dumps(row, default=str, sort_keys=True) for row in some)
        for name, some in rows.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in OF_ORDER}
    return [_plain(v) for v in value] if isinstance(value, list) else value


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


def alert_of(world: World, key: str) -> dict[str, Any]:
    [row] = world.rows(
        "select a.*, s.key from alerts a join series s on s.id = a.series_id where s.key = :key and s.kind <> 'topic'",
        key=key,
    )
    return row


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
