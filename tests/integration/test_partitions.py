"""Partitions are made ahead, once, and take along rows that were there before them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from pipeline.errors import DatabaseError
from pipeline.store import partitions, windows
from pipeline.store.partitions import ensure_partitions, month_starts

NOW = datetime(2026, 11, 30, 23, tzinfo=UTC)
# Three months of two tables.
ALL = 6
NEXT_MONTH = NOW + timedelta(hours=2)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for as often as ever, but not as long."""
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT_MS", 200)
    monkeypatch.setattr(partitions, "LOCK_PAUSE_S", 0.1)


@contextmanager
def dump(engine: Engine) -> Iterator[None]:
    """What pg_dump holds for as long as it runs, and a long question, too."""
    with engine.begin() as connection:
        tables = connection.execute(
            sa.text(
                "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'"
            )
        ).scalars()
        for table in tables.all():
            connection.execute(sa.text(f"lock table {table} in access share mode"))
        yield


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
    assert ensure_partitions(engine, as_of=NOW) == ALL
    assert ensure_partitions(engine, as_of=NOW) == 0
    with engine.begin() as connection:
        rows = connection.execute(sa.text("select tableoid::regclass::text, id from feed_fetches")).all()
        connection.execute(
            sa.text("insert into feed_fetches (feed_id, started_at, outcome) values (1, :at, 'ok')"),
            {"at": NOW},
        )
    assert [tuple(row) for row in rows] == [("feed_fetches_2026_11", 1)]


def test_a_dump_that_runs_for_hours_keeps_no_tick_waiting_and_the_month_is_made_later(
    engine: Engine, hasty: None
) -> None:
    ensure_partitions(engine, as_of=NOW)
    with ThreadPoolExecutor(1) as pool:
        with dump(engine):
            making = pool.submit(ensure_partitions, engine, as_of=NEXT_MONTH)
            for _ in range(20):
                with engine.begin() as connection:
                    connection.execute(sa.text("set local statement_timeout = '1s'; select pg_sleep(0.05)"))
                    windows.ever_polled(connection)
        assert making.result() in (0, 1, 2)  # how many depends on when the dump ends
    made = making.result() + ensure_partitions(engine, as_of=NEXT_MONTH)
    assert made == 2


def test_what_is_missing_is_not_made_while_a_dump_holds_it_and_said_once_its_month_has_begun(
    engine: Engine, hasty: None
) -> None:
    ensure_partitions(engine, as_of=NOW)
    with dump(engine):
        assert ensure_partitions(engine, as_of=NEXT_MONTH) == 0
        with pytest.raises(DatabaseError, match="feed_fetches_2027_02, evaluations_2027_02"):
            ensure_partitions(engine, as_of=NOW + timedelta(days=65))


def test_a_table_in_use_is_tried_for_one_month_only(
    engine: Engine, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try keeps readers waiting, and who holds the table holds it for the other months as well."""
    ensure_partitions(engine, as_of=NOW)
    pauses: list[float] = []
    monkeypatch.setattr(partitions.time, "sleep", pauses.append)
    with dump(engine), pytest.raises(DatabaseError, match="feed_fetches_2027_05, evaluations_2027_05"):
        ensure_partitions(engine, as_of=NOW + timedelta(days=160))
    assert len(pauses) == len(partitions.PARTITIONED) * partitions.LOCK_ATTEMPTS
