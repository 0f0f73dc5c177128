"""Series, and the counts of their stories in windows of 15 minutes. A window before the last tick never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.engine import sql
from pipeline.types import Series

# Key of the advisory lock that lets one detector work at a time; any constant that nothing else uses.
DETECT_LOCK = 0x64657465


@dataclass(frozen=True, slots=True)
class Counted:
    """Stories that were counted just now, and the first window that got a live one."""

    live: int
    history: int
    first_live: datetime | None


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """Stories of a series in the window or hour that starts at `at`; `copies` are further articles of negative ones.

    The `_history` ones are backfilled; read_hours has them in `negative` and `other`.
    """

    series_id: int
    at: datetime
    negative: int
    other: int
    copies: int = 0
    negative_history: int = 0
    other_history: int = 0


def lock_detect(connection: Connection) -> None:
    """Waits until no other detector works; held until the transaction ends."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": DETECT_LOCK})


def sync_series(connection: Connection, topics: Mapping[str, str], as_of: datetime) -> int:
    """Adds the series that are missing: everything, `topics` (key -> title), companies, sectors; how many were new."""
    parameters = {"topic_keys": list(topics), "topic_titles": list(topics.values()), "as_of": as_of}
    return connection.execute(sql("windows_sync_series"), parameters).rowcount


def list_series(connection: Connection) -> list[tuple[Series, datetime]]:
    """Every series with the time since when it is watched, by id."""
    query = sa.text("select id, kind, key, title, created_at from series order by id")
    return [
        (Series(row.id, row.kind, row.key, row.title), row.created_at) for row in connection.execute(query)
    ]


def find_series(connection: Connection, kind: str, key: str) -> Series | None:
    """The series with this kind and key (case does not matter, a ticker names its company), or None."""
    row = connection.execute(
        sa.text(
            "select s.id, s.kind, s.key, s.title from series s left join companies c on c.id = s.company_id"
            " where s.kind = :kind and lower(:key) in (lower(s.key), lower(c.ticker)) order by s.id limit 1"
        ),
        {"kind": kind, "key": key},
    ).one_or_none()
    return Series(*row) if row else None


def count_stories(
    connection: Connection, champion_id: int, as_of: datetime, since: datetime | None = None
) -> Counted:
    """Counts what was scored (since then) and not counted yet; running it again counts nothing twice."""
    row = connection.execute(
        sql("windows_count"), {"champion_id": champion_id, "as_of": as_of, "since": since}
    ).one()
    return Counted(row.live, row.history, row.first_live)


def count_copies(connection: Connection, start: datetime, end: datetime) -> None:
    """Counts the copies of the window [start, end), which is about to close: new ones, and those of stories new in it."""
    connection.execute(sql("windows_count_copies"), {"start": start, "end": end})


def read_trailing(connection: Connection, tick_at: datetime) -> dict[int, tuple[int, ...]]:
    """Live counts of the trailing 1 h, 4 h and 24 h: series -> negative x 3, other x 3, copies x 3; all 0 is missing."""
    starts = {f"start_{hours}": tick_at - timedelta(hours=hours) for hours in (1, 4, 24)}
    rows = connection.execute(sql("windows_trailing"), {"tick_at": tick_at, **starts})
    return {row[0]: tuple(row[1:]) for row in rows}


def read_quarters(connection: Connection, start: datetime, end: datetime) -> list[SeriesCount]:
    """Live and backfilled counts per quarter of an hour in [start, end); empty ones have no row."""
    rows = connection.execute(sql("windows_quarters"), {"start": start, "end": end})
    return [
        SeriesCount(
            row.series_id,
            row.window_start,
            row.negative,
            row.other,
            row.copies,
            row.negative_history,
            row.other_history,
        )
        for row in rows
    ]


def read_hours(
    connection: Connection, model_version_id: int, start: datetime, end: datetime
) -> list[SeriesCount]:
    """Live and backfilled counts per hour in [start, end) by one model version."""
    parameters = {"model_version_id": model_version_id, "start": start, "end": end}
    rows = connection.execute(sql("windows_hours"), parameters)
    return [SeriesCount(row.series_id, row.hour, row.negative, row.other) for row in rows]


def stories_by_model(
    connection: Connection, start: datetime, recent: datetime, end: datetime
) -> dict[int, tuple[int, int]]:
    """Stories that each model version counted in [start, end), and in [recent, end) alone; the busiest first."""
    rows = connection.execute(sql("windows_by_model"), {"start": start, "recent": recent, "end": end})
    return {row.model_version_id: (int(row.stories), int(row.lately)) for row in rows}


def stories_by_feed(connection: Connection, start: datetime, end: datetime) -> list[tuple[int, int, int]]:
    """(series, feed, live stories) in [start, end) for feeds that are polled."""
    rows = connection.execute(sql("windows_feeds"), {"start": start, "end": end})
    return [(row.series_id, row.feed_id, row.stories) for row in rows]


def polled_feeds(connection: Connection) -> list[int]:
    """Feeds that are polled now."""
    query = (
        "select id from feeds where enabled and paused_at is null and origin <> 'import' and removed_at is null"
        " order by id"
    )
    return list(connection.execute(sa.text(query)).scalars())


def feed_exceptions(connection: Connection, start: datetime, tick_at: datetime) -> dict[int, float]:
    """Feeds that brought more or less than [start, tick_at), as a multiple of it (0: down; 24: a backlog of 6 h)."""
    rows = connection.execute(sql("windows_coverage"), {"start": start, "tick_at": tick_at})
    return {row.feed_id: round(float(row.ratio), 3) for row in rows}


def ever_polled(connection: Connection) -> bool:
    """True where any feed was polled: from then on quarters without a tick are quarters without data.

    The feed remembers it, too: after a month without power all polls are forgotten before the first new one is stored.
    """
    query = (
        "select exists (select from feed_fetches f join feeds on feeds.id = f.feed_id where feeds.origin <> 'import')"
        " or exists (select from feed_states f join feeds on feeds.id = f.feed_id"
        " where feeds.origin <> 'import' and f.last_attempt_at is not null)"
    )
    return bool(connection.execute(sa.text(query)).scalar_one())


def unread_part(
    connection: Connection, champion_id: int, until: datetime, as_of: datetime, newest: int
) -> float:
    """Part of the `newest` live stories of the day before `until` that no champion had read by `as_of`; 0 without any."""
    parameters = {
        "champion_id": champion_id,
        "since": until - timedelta(days=1),
        "until": until,
        "as_of": as_of,
        "newest": newest,
    }
    return float(connection.execute(sql("windows_unread"), parameters).scalar_one())


def read_overrides(connection: Connection) -> dict[tuple[str, str], dict[str, Any]]:
    """What differs from alerts.toml per series: (kind, key) -> fields."""
    rows = connection.execute(sa.text("select series_kind, series_key, rule from rule_overrides"))
    return {(row.series_kind, row.series_key): dict(row.rule) for row in rows}
