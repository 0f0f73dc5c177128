"""Partitions are made ahead, once, and take along rows that were there before them."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.store.partitions import ensure_partitions, month_starts

NOW = datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_months_cross_the_year():
    assert month_starts(NOW) == [
        ("2026_11", "2026-11-01", "2026-12-01"),
        ("2026_12", "2026-12-01", "2027-01-01"),
        ("2027_01", "2027-01-01", "2027-02-01"),
    ]


def test_rows_in_the_default_partition_move_and_a_second_run_makes_nothing(engine):
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into feeds (name, url, added_at) values ('f', 'https://f.example', :at)"),
            {"at": NOW},
        )
        connection.execute(
            sa.text("insert into feed_fetches (feed_id, started_at, outcome) values (1, :at, 'ok')"),
            {"at": NOW},
        )
    assert ensure_partitions(engine, as_of=NOW) == 6
    assert ensure_partitions(engine, as_of=NOW) == 0
    with engine.begin() as connection:
        rows = connection.execute(sa.text("select tableoid::regclass::text, id from feed_fetches")).all()
        connection.execute(
            sa.text("insert into feed_fetches (feed_id, started_at, outcome) values (1, :at, 'ok')"),
            {"at": NOW},
        )
    assert [tuple(row) for row in rows] == [("feed_fetches_2026_11", 1)]
