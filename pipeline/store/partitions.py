"""Monthly partitions of the append-only tables: made ahead of time, so that the default partition stays empty."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from psycopg2 import errors, sql
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from pipeline.errors import DatabaseError

# Tables partitioned by month.
PARTITIONED = ("feed_fetches", "evaluations")
# Months made ahead: two survive a month of failed nightly runs.
MONTHS_AHEAD = 2
# A new partition wants the default one for itself for a moment. A dump and a long question hold it for as long as they
# run, and whoever comes after us waits behind us: each try is short, and after a few of them tomorrow will do.
LOCK_TIMEOUT_MS = 2_000
LOCK_ATTEMPTS = 5
LOCK_PAUSE_S = 1.0

log = logging.getLogger(__name__)


def month_starts(as_of: datetime, ahead: int = MONTHS_AHEAD) -> list[tuple[str, str, str]]:
    """(suffix, first day, first day of the next month) of this month and the next ones."""
    months = []
    for offset in range(ahead + 1):
        year, month = divmod(as_of.year * 12 + as_of.month - 1 + offset, 12)
        next_year, next_month = divmod(year * 12 + month + 1, 12)
        months.append(
            (f"{year}_{month + 1:02}", f"{year}-{month + 1:02}-01", f"{next_year}-{next_month + 1:02}-01")
        )
    return months


def ensure_partitions(engine: Engine, *, as_of: datetime) -> int:
    """Makes the partitions that are missing; returns how many. Rows already in the default partition move along.

    The months ahead of a table that is in use are left to the next night. Raises DatabaseError once such a month has begun.
    """
    months = month_starts(as_of)
    made, overdue = 0, []
    for table in PARTITIONED:
        for n, (suffix, start, end) in enumerate(months):
            count = _make_patiently(engine, table, f"{table}_{suffix}", start, end)
            if count is None:
                overdue += [f"{table}_{suffix}"] if n == 0 else []
                break  # whoever holds the table holds it for the months after, too, and each try keeps others waiting
            made += count
    if overdue:
        raise DatabaseError(
            f"a dump or a long query keeps the partitions {', '.join(overdue)} from being made",
            "run the task `tidy` of the DAG `maintenance` again when it has ended; until then a default partition takes the rows",
        )
    return made


def _make_patiently(engine: Engine, table: str, name: str, start: str, end: str) -> int | None:
    """How many were made; None where the table stayed in use."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            with engine.begin() as connection:
                connection.execute(text(f"set local lock_timeout = {LOCK_TIMEOUT_MS}"))
                return _make(connection, table, name, start, end)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            time.sleep(LOCK_PAUSE_S)
    log.warning("%s is in use: its partition %s is made another night", table, name)
    return None


def _make(connection: Connection, table: str, name: str, start: str, end: str) -> int:
    raw = connection.connection.driver_connection
    assert raw is not None
    with raw.cursor() as cursor:
        cursor.execute("select to_regclass(%s)", (name,))
        if cursor.fetchone()[0] is not None:
            return 0
        names = {
            "name": sql.Identifier(name),
            "table": sql.Identifier(table),
            "rest": sql.Identifier(f"{table}_default"),
        }
        column = sql.Identifier("started_at" if table == "feed_fetches" else "tick_at")
        # a row of the month in the default partition would forbid the new one: it moves in the same transaction
        cursor.execute(
            sql.SQL("create table {name} (like {table} including defaults including constraints)").format(
                **names
            )
        )
        cursor.execute(
            sql.SQL(
                "with moved as (delete from {rest} where {column} >= %s and {column} < %s returning *)"
                " insert into {name} select * from moved"
            ).format(**names, column=column),
            (start, end),
        )
        cursor.execute(
            sql.SQL("alter table {table} attach partition {name} for values from (%s) to (%s)").format(
                **names
            ),
            (start, end),
        )
    return 1
