"""The worked questions give the numbers that their words promise, whoever asks and wherever they sit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from desk_market import fill
from newsroom import add_articles, add_feed, add_model, score
from sqlalchemy import Engine

QUERIES = sorted((Path(__file__).resolve().parents[2] / "sql" / "queries").glob("*.sql"))
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def market(module_engine: Engine) -> Engine:
    fill(module_engine, stories=3000, days=40)
    return module_engine


@pytest.fixture
def connection(market: Engine) -> Iterator[sa.Connection]:
    """A transaction, so that `now()` stands still; nothing of it stays."""
    with market.connect() as connection:
        connection.execute(sa.text("set local search_path = public, analytics"))
        yield connection
        connection.rollback()


def answers(connection: sa.Connection, stem: str) -> list[dict[str, Any]]:
    """What the question of this number says."""
    (path,) = [path for path in QUERIES if path.stem.startswith(stem)]
    rows = connection.exec_driver_sql(path.read_text().replace("%", "%%")).mappings()
    return [dict(row) for row in rows]


@pytest.mark.parametrize("zone", ["America/Bogota", "Asia/Kolkata"])
@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_answer_is_the_same_in_every_zone(connection: sa.Connection, path: Path, zone: str) -> None:
    """JDBC, as most BI tools use it, sets the zone of the machine that it runs on, whatever the role says.

    Two zones without summer time, in which the edge of "30 days ago" would move by an hour."""
    found = answers(connection, path.stem)
    connection.execute(sa.text(f"set local timezone = '{zone}'"))
    assert answers(connection, path.stem) == found


def test_who_tells_first_is_not_among_those_who_repeat(connection: sa.Connection) -> None:
    connection.execute(sa.text("update stories set sources = 1"))
    connection.execute(
        sa.text("update stories set sources = 3 where available_at >= now() - interval '1 day'")
    )
    assert answers(connection, "04") == []  # two others repeat each
    connection.execute(sa.text("update stories set sources = 4 where sources = 3"))
    assert {row["mean_outlets_following"] for row in answers(connection, "04")} == {3}


def test_hours_without_news_count_in_the_rhythm_of_the_day(connection: sa.Connection) -> None:
    """Twelve stories in one night of four weeks are no twelve an hour each night."""
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    everything = connection.execute(
        sa.text(
            "select rollup.series_id, rollup.model_version_id from sentiment_rollups as rollup"
            " join series on series.id = rollup.series_id and series.kind = 'all'"
            " join champion_periods as champion on champion.model_version_id = rollup.model_version_id"
            " where champion.ends_at = 'infinity' limit 1"
        )
    ).one()
    connection.execute(sa.text("delete from sentiment_rollups"))
    insert = sa.text(
        "insert into sentiment_rollups (span_minutes, series_id, model_version_id, start_at, negative, neutral, positive,"
        " score_sum, score_squares) values (60, :series, :model, :at, :negative, 0, :positive, 0, 0)"
    )
    first = {"series": everything.series_id, "model": everything.model_version_id}
    connection.execute(insert, {**first, "at": hour - timedelta(days=4), "negative": 3, "positive": 9})
    connection.execute(insert, {**first, "at": hour - timedelta(hours=2), "negative": 0, "positive": 5})
    found = {row["hour"]: row for row in answers(connection, "23")}
    assert len(found) == 24
    now, before, quiet = hour.hour, (hour.hour - 2) % 24, (hour.hour - 1) % 24
    assert [float(found[at]["stories_an_hour"]) for at in (now, before, quiet)] == [
        2.4,
        1.3,
        0,
    ]  # of 5, 4, 4 such hours
    assert [found[at]["negative_share"] for at in (now, before, quiet)] == [pytest.approx(0.25), 0, None]


def test_reading_again_by_a_new_champion_is_no_wait(engine: Engine) -> None:
    """After a promotion the last days are read anew; how long their stories had waited stays what it was."""
    at = NOW - timedelta(hours=10)
    (article,) = add_articles(engine, add_feed(engine), ["Orvex cuts its outlook"], at=at)
    score(
        engine,
        add_model(engine, "m1", at=at - timedelta(days=9)),
        article,
        (0.8, 0.1, 0.1),
        at=at + timedelta(seconds=40),
    )
    score(engine, add_model(engine, "m2", at=NOW - timedelta(hours=2)), article, (0.7, 0.2, 0.1), at=NOW)
    with engine.connect() as connection:
        (row,) = answers(connection, "17")
    assert (row["median_s"], row["p95_s"]) == (40, 40)


def test_correction_of_an_older_article_is_new(engine: Engine) -> None:
    at = NOW - timedelta(days=5)
    (article,) = add_articles(engine, add_feed(engine), ["Orvex earns 3 million"], at=at)
    state = sa.text(
        "insert into article_revisions (article_id, revision, seen_at, title, summary, content_hash, is_correction)"
        " values (:article, :number, :at, :title, '', decode('00', 'hex'), :correction)"
    )
    with engine.begin() as connection:
        first = {
            "article": article,
            "number": 1,
            "at": at,
            "title": "Orvex earns 3 million",
            "correction": False,
        }
        connection.execute(state, first)
        connection.execute(
            state,
            {
                **first,
                "number": 2,
                "at": NOW - timedelta(hours=5),
                "title": "Orvex loses 3 million",
                "correction": True,
            },
        )
        connection.execute(sa.text("update articles set corrected = true, revision = 2"))
        assert [row["is_now"] for row in answers(connection, "14")] == ["Orvex loses 3 million"]
        connection.execute(
            sa.text("update article_revisions set seen_at = :at"), {"at": NOW - timedelta(days=4)}
        )
        assert answers(connection, "14") == []


def test_series_of_a_company_that_left_the_list_says_so(connection: sa.Connection) -> None:
    """Its history stays, and so does its row; a sector goes with its last company."""
    sector = connection.execute(sa.text("select sector from companies where id = 1")).scalar_one()
    unwatched = sa.text("select kind, key from analytics.series where not watched order by kind")
    assert connection.execute(unwatched).all() == []
    connection.execute(sa.text("update companies set enabled = false where id = 1"))
    name = connection.execute(sa.text("select key from series where company_id = 1")).scalar_one()
    assert connection.execute(unwatched).all() == [("company", name)]
    connection.execute(sa.text("update companies set enabled = false where sector = :s"), {"s": sector})
    assert ("sector", sector) in connection.execute(unwatched).all()


def test_what_people_said_of_a_test_alert_is_no_feedback(connection: sa.Connection) -> None:
    """It stands in none of the other views either."""
    alert = connection.execute(
        sa.text("select min(alert_id) from feedback where kind = 'useful'")
    ).scalar_one()
    said = sa.text("select count(*) from analytics.alert_feedback where alert_id = :a")
    assert connection.execute(said, {"a": alert}).scalar_one() > 0
    connection.execute(sa.text("update alerts set is_test = true where id = :a"), {"a": alert})
    assert connection.execute(said, {"a": alert}).scalar_one() == 0
