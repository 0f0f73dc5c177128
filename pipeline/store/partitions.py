"""Monthly partitions of the append-only tables: made ahead of time, so that the default partition stays empty."""

from __future__ import annotations

from datetime import datetime

from psycopg2 import sql
from sqlalchemy.engine import Connection, Engine

# Tables partitioned by month.
PARTITIONED = ("feed_fetches", "evaluations")
# Months made ahead: two survive a month of failed nightly runs.
MONTHS_AHEAD = 2


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
    """Makes the partitions that are missing; returns how many. Rows already in the default partition move along."""
    made = 0
    with engine.begin() as connection:
        for table in PARTITIONED:
            for suffix, start, end in month_starts(as_of):
                made += _make(connection, table, f"{table}_{suffix}", start, end)
    return made


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
