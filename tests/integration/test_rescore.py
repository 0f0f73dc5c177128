"""After a promotion: history read anew, the newest first; its baselines; both versions side by side for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from learning import (
    champion_of,
    crown,
    give_labels,
    make_champion,
    make_line,
    make_small,
    model_fixtures,
    one,
    row_of,
)
from newsroom import NOW, add_articles, add_feed, add_model

from pipeline import retrain, run
from pipeline.store import models, scores

READ = """
select count(*) from scores join stories on stories.id = story_id
where model_version_id = :id and available_at >= :start and available_at < :end
"""
DAY = timedelta(days=1)


@pytest.fixture
def line(engine, database_url, tmp_path, monkeypatch):
    champion = make_champion(tmp_path)
    make_small(monkeypatch.setattr, champion, tmp_path)
    line = make_line(engine, database_url, tmp_path / "home")
    crown(line, champion)
    return line


def add_history(line) -> None:
    """Twenty stories of two months ago, five of a hundred days ago, all read by the champion like the labelled ones."""
    texts = [str(row["text"]) for row in model_fixtures().make_rows(27, seed=21)]
    feed = add_feed(line.engine, "archive")
    add_articles(line.engine, feed, texts[:20], at=NOW - 60 * DAY, gap=3600)
    add_articles(line.engine, feed, texts[20:25], at=NOW - 100 * DAY)
    run.score(line, 1000, as_of=NOW)


def read_by(line, model_id: int, start, end) -> int:
    return one(line, READ, id=model_id, start=start, end=end)


def test_after_a_promotion_history_is_read_again(line):
    give_labels(line)
    add_history(line)
    first = champion_of(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate, retrain.gate, retrain.promote):
        step(line, "r1", as_of=NOW)
    row = row_of(line)
    old, new = row.champion_id, row.challenger_id
    months = (NOW - 61 * DAY, NOW - 59 * DAY)
    assert champion_of(line) != first
    assert one(line, "select count(*) from score_queue where model_version_id = :id", id=new) == 20, (
        "the switch itself queues what is not read, so that a kill after it loses nothing"
    )
    assert read_by(line, new, NOW - 35 * DAY, NOW) == 240, (
        "the challenger has read the last weeks before the switch"
    )
    assert read_by(line, new, *months) == 0

    retrain.rescore(line, "r1", limit=5, as_of=NOW)
    newest = NOW - 60 * DAY + timedelta(hours=15)
    assert read_by(line, new, *months) == read_by(line, new, newest, months[1]) == 5, "the newest first"
    done = retrain.rescore(line, "r1", as_of=NOW)
    assert read_by(line, new, *months) == 20
    assert read_by(line, new, NOW - 101 * DAY, NOW - 99 * DAY) == 0, "older than UNDERTOW_RESCORE_DAYS"
    assert read_by(line, old, NOW - 101 * DAY, NOW) == 265, "what the old one said stays"
    assert done["baselines"]["series"] > 0
    assert one(line, "select count(*) from baselines where model_version_id = :id", id=new) > 0

    run.detect(line, as_of=NOW + timedelta(hours=2))
    assert one(line, "select count(*) from alerts where fired_at is not null") == 0
    again = retrain.rescore(line, "r1", as_of=NOW)
    assert (again["queued"], again["scored"]) == (0, 0), "again changes nothing"


def test_the_version_before_reads_on_for_a_week(line):
    give_labels(line)
    retrain.retrain(line, "r1", as_of=NOW)
    row = row_of(line)
    feed, sides = add_feed(line.engine, "later"), (row.champion_id, row.challenger_id)
    texts = [str(row["text"]) for row in model_fixtures().make_rows(4, seed=33)]
    for number, days in enumerate((1, 9)):
        later = NOW + days * DAY
        add_articles(line.engine, feed, texts[2 * number : 2 * number + 2], at=later - timedelta(hours=1))
        run.score(line, as_of=later)
        retrain.overlap(line, as_of=later)
        read = [read_by(line, side, later - DAY, later) for side in sides]
        assert read == ([2, 2] if days == 1 else [0, 2])


@pytest.fixture
def switched(engine, database_url, tmp_path):
    """A line whose champion was switched from `a` to `b` and, before that had read its history, to `c`."""
    line = make_line(engine, database_url, tmp_path / "home")
    add_model(engine, "a")
    for version in ("b", "c"):
        add_model(engine, version, champion=False)
    add_articles(engine, add_feed(engine, "archive"), [f"Story {n}" for n in range(20)])
    for version, hours in (("b", 2), ("c", 1)):
        switch(line, version, NOW - timedelta(hours=hours))
    return line


def switch(line, version: str, at) -> int:
    with line.engine.begin() as connection:
        models.lock_alias(connection)
        stored = models.find_model(connection, version)
        return run.switch_champion(line, connection, stored, by="anna", reason="a try", as_of=at)


def waiting(line) -> dict[str, int]:
    with line.engine.connect() as connection:
        found = connection.execute(sa.text("select model_version, stories from analytics.waiting_stories"))
        return dict(map(tuple, found))


def test_a_switch_takes_the_history_off_the_queue_of_the_champion_before(switched, engine, monkeypatch):
    assert waiting(switched) == {"champion": 20, "c": 20}
    add_articles(engine, add_feed(engine, "later"), ["One", "Two", "Three"], at=NOW - timedelta(minutes=30))
    asked = []
    monkeypatch.setattr(run, "score", lambda line, most, **of: asked.append((most, of["rescore"])) or {})
    retrain.overlap(switched, as_of=NOW)
    assert asked == [(3, "b")], "the version before goes on with what came since"
    assert switch(switched, "b", NOW) == 20, "back again, it is queued again"
    assert waiting(switched) == {"champion": 23, "b": 23}


def test_a_switch_does_not_wait_for_a_batch_of_the_champion_before(switched, engine):
    """Its worker takes off by itself what it holds."""
    c = one(switched, "select id from model_versions where version = 'c'")
    with engine.begin() as worker:
        held = scores.claim(worker, queue_model_id=c, limit=4, order="newest")
        switch(switched, "b", NOW)
        assert waiting(switched) == {"champion": 20, "b": 20, "c": 4}
        scores.finish(worker, held, 0, model_version_id=c, scored=[], apart=[], as_of=NOW)
    assert waiting(switched) == {"champion": 20, "b": 20}
