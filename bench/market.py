"""A made-up market in a database: the scale data of bench/sql.py and the small data of the tests, from the same SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

SQL = Path(__file__).with_name("market")
# Stories made in one transaction: their temporary tables and hash joins stay in memory.
PART = 200_000
# Filled part by part without their secondary indexes, as any bulk import would be.
BIG_TABLES = (
    "stories", "articles", "article_revisions", "mentions", "scores", "score_companies", "score_topics", "counted_stories",
)  # fmt: skip


def generate(
    connection: Any,
    *,
    stories: int,
    days: int,
    companies: int,
    now: datetime,
    tell: Callable[[str], None] = lambda what: None,
) -> None:
    """Fill an empty migrated database through a DBAPI `connection`; commits after each file of bench/market.

    About 1.6 articles a story. The same arguments make the same rows. `tell` hears what is done.
    """
    settings = {"stories": stories, "days": days, "companies": companies, "now": now.isoformat()}
    with connection.cursor() as cursor:
        # the rows are consistent by construction: no foreign-key checks, no queueing, no roll-up row by row
        cursor.execute("set session_replication_role = replica; set work_mem = '128MB'")
        for name, value in settings.items():
            cursor.execute("select set_config(%s, %s, false)", (f"market.{name}", str(value)))
        run(cursor, "1_watch")
        connection.commit()
        with without_indexes(cursor, tell):
            for first in range(1, stories + 1, PART):
                last = min(first + PART - 1, stories)
                cursor.execute(f"set market.first = {first}; set market.last = {last}")
                run(cursor, "2_news")
                run(cursor, "3_verdicts")
                connection.commit()
                tell(f"{last:,} of {stories:,} stories")
        for name in ("4_counts", "5_alerts", "6_people"):
            run(cursor, name)
            connection.commit()
            tell(name)
        cursor.execute("set session_replication_role = origin; reset work_mem")
        connection.commit()


def run(cursor: Any, name: str) -> None:
    cursor.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))


@contextmanager
def without_indexes(cursor: Any, tell: Callable[[str], None]) -> Iterator[None]:
    """Drops the indexes of the big tables that no foreign key needs, and makes them again at the end."""
    cursor.execute(
        "select 'drop index ' || index.indexrelid::regclass, pg_get_indexdef(index.indexrelid) from pg_index as index"
        " where index.indrelid = any(%(tables)s::regclass[]) and not index.indisprimary"
        " and not exists (select from pg_constraint where conindid = index.indexrelid)"
        " union all select format('alter table %%s drop constraint %%I', conrelid::regclass, conname),"
        " format('alter table %%s add constraint %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
        " from pg_constraint where conrelid = any(%(tables)s::regclass[]) and contype = 'u' order by 1",
        {"tables": list(BIG_TABLES)},
    )
    pairs = cursor.fetchall()
    for drop, _ in pairs:
        cursor.execute(drop)
    yield
    cursor.execute("set maintenance_work_mem = '1GB'")
    for _, make in pairs:
        cursor.execute(make)
        tell(make[:90])
    for table in BIG_TABLES:
        cursor.execute(f"analyze {table}")
    cursor.execute("reset maintenance_work_mem")
    cursor.connection.commit()
