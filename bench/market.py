"""A made-up market in a database: the scale data of bench/sql.py and the small data of the tests, from the same SQL."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

SQL = Path(__file__).with_name("market")


def generate(connection: Any, *, stories: int, days: int, companies: int, now: datetime) -> None:
    """Fill an empty migrated database through a DBAPI `connection`; commits after each file of bench/market.

    About 1.6 articles a story. The same arguments make the same rows.
    """
    settings = {"stories": stories, "days": days, "companies": companies, "now": now.isoformat()}
    with connection.cursor() as cursor:
        # the rows are consistent by construction: no foreign-key checks, no queueing, no roll-up row by row
        cursor.execute("set session_replication_role = replica")
        for name, value in settings.items():
            cursor.execute("select set_config(%s, %s, false)", (f"market.{name}", str(value)))
        for path in sorted(SQL.glob("*.sql")):
            cursor.execute(path.read_text(encoding="utf-8"))
            connection.commit()
        cursor.execute("set session_replication_role = origin")
        connection.commit()
