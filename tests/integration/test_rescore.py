"""After a promotion: history read anew, the newest first; its baselines; both versions side by side for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
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
from newsroom import NOW, add_articles, add_feed

from pipeline import retrain, run

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
