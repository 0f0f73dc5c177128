"""What the desk shows of series: their sentiment over time, the band that is usual, who moved, how the line stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.desk_rows import Row, fetch, fetch_one

# Days before a day that make its expected band; the same 28 as analytics.sentiment_daily_expected.
BAND_DAYS = 28


def pulse(connection: Connection) -> Row:
    """How the line stands: champion, queues, feeds, open alerts, last tick."""
    found = fetch_one(connection, "desk_pulse")
    assert found is not None  # a select without from
    return found


def series_summary(
    connection: Connection, kinds: Sequence[str], as_of: datetime, *, series_id: int | None = None
) -> list[Row]:
    """Each series of `kinds`, or one: its last 24 hours against the 7 days before; indexes in [-1, 1] or None."""
    return fetch(
        connection,
        "desk_series_summary",
        kinds=list(kinds),
        series_id=series_id,
        day_ago=as_of - timedelta(hours=24),
        until=as_of,
    )


def series_points(
    connection: Connection, series_id: int, since: datetime, until: datetime, span_minutes: int
) -> list[Row]:
    """Stories by verdict per hour (60) or UTC day (1440) in [since, until)."""
    return fetch(
        connection,
        "desk_series_points",
        series_id=series_id,
        since=since,
        until=until,
        span_minutes=span_minutes,
    )


def sparks(
    connection: Connection, series_ids: Sequence[int], since: datetime, until: datetime
) -> dict[int, list[tuple[datetime, float]]]:
    """Daily index of many series, oldest first."""
    lines: dict[int, list[tuple[datetime, float]]] = {}
    for row in fetch(connection, "desk_sparks", series_ids=list(series_ids), since=since, until=until):
        lines.setdefault(row["series_id"], []).append((row["start_at"], row["sentiment_index"]))
    return lines


def find_series(connection: Connection, series_id: int) -> Row | None:
    """The series with its company, or None."""
    row = connection.execute(
        sa.text(
            "select series.id, series.kind, series.key, series.title, series.company_id, company.ticker, company.sector,"
            " company.aliases, series.created_at from series left join companies as company on company.id = series.company_id"
            " where series.id = :id"
        ),
        {"id": series_id},
    ).mappings()
    found = row.one_or_none()
    return dict(found) if found else None


def everything(connection: Connection) -> Row | None:
    """The series of kind `all`, or None on a database that has counted nothing yet."""
    found = connection.execute(
        sa.text("select id from series where kind = 'all' order by id limit 1")
    ).scalar()
    return find_series(connection, found) if found is not None else None


def evaluations(connection: Connection, series_id: int, since: datetime, until: datetime) -> list[Row]:
    """What the detector saw of the series in [since, until), tick by tick."""
    return fetch(connection, "desk_evaluations", series_id=series_id, since=since, until=until)


def sources_of(connection: Connection, series: Row, since: datetime, until: datetime) -> list[Row]:
    """Outlets that told the stories of a company or topic first, with the verdicts; at most 20."""
    if series["kind"] not in {"company", "topic"}:
        return []
    return fetch(
        connection,
        f"desk_sources_{series['kind']}",
        key=series["company_id"] if series["kind"] == "company" else series["key"],
        since=since,
        until=until,
    )


def names(connection: Connection, kind: str) -> list[Row]:
    """Series of a kind by name, for filters: id, key, title, company_id."""
    query = "select id, key, title, company_id from series where kind = :kind order by title"
    return [dict(row) for row in connection.execute(sa.text(query), {"kind": kind}).mappings()]
