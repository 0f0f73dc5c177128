"""Feeds: configuration, what polling remembers, outcomes, hosts that asked for rest."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from pipeline.errors import UsageError
from pipeline.ingest.articles import FeedOptions
from pipeline.ingest.outcome import State
from pipeline.ingest.schedule import Hints
from pipeline.store.engine import sql


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A feed with its state, as an ingest run needs it."""

    state: State
    options: FeedOptions
    user_agent: str | None
    full_text: bool


@dataclass(frozen=True, slots=True)
class Poll:
    """One row of feed_fetches; seen = new + revised + unchanged + duplicate + rejected."""

    feed_id: int
    started_at: datetime
    duration_ms: int
    outcome: str
    http_status: int | None = None
    bytes_wire: int = 0
    bytes_body: int = 0
    error_class: str | None = None
    error_message: str | None = None
    seen: int = 0
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    bad_dates: int = 0
    warnings: tuple[str, ...] = ()


def load_feeds(
    connection: Connection, feed_ids: Sequence[int], *, lock: bool = False
) -> dict[int, StoredFeed]:
    """The feeds by id; `lock`: hold their state until the transaction ends, so that two runs take turns."""
    ids = {"feed_ids": sorted(feed_ids)}
    connection.execute(
        sa.text(
            "insert into feed_states (feed_id) select unnest(cast(:feed_ids as integer[])) on conflict do nothing"
        ),
        ids,
    )
    if lock:
        connection.execute(
            sa.text(
                "select 1 from feed_states where feed_id = any(cast(:feed_ids as integer[])) order by feed_id for update"
            ),
            ids,
        )
    return {row.id: _stored(row) for row in connection.execute(sql("feeds_states"), ids)}


def due_feeds(connection: Connection, as_of: datetime) -> list[tuple[int, str]]:
    """(id, url) of the feeds whose time has come, the longest overdue first."""
    return [(row.id, row.url) for row in connection.execute(sql("feeds_due"), {"as_of": as_of})]


def resting_hosts(connection: Connection, as_of: datetime) -> dict[str, datetime]:
    """Hosts that asked to be left alone, and until when."""
    rows = connection.execute(
        sa.text("select host, not_before_at from host_states where not_before_at > :as_of"), {"as_of": as_of}
    )
    return {row.host: row.not_before_at for row in rows}


def rest_host(connection: Connection, host: str, until: datetime, reason: str) -> None:
    """Leave a host alone until then."""
    connection.execute(
        sa.text(
            "insert into host_states values (:host, :until, :reason) on conflict (host) do update"
            " set not_before_at = greatest(host_states.not_before_at, excluded.not_before_at), reason = excluded.reason"
        ),
        {"host": host, "until": until, "reason": reason},
    )


def save_states(connection: Connection, states: Iterable[State]) -> None:
    """Write what polling remembers; a feed that moved gets its new address."""
    states = list(states)
    connection.execute(
        sql("feeds_save_state"), {"states": json.dumps([_state_row(state) for state in states])}
    )
    connection.execute(
        sa.text(
            "update feeds set url = new.url from unnest(cast(:ids as integer[]), cast(:urls as text[])) as new (id, url)"
            " where feeds.id = new.id and feeds.url <> new.url"
        ),
        {"ids": [state.feed_id for state in states], "urls": [state.url for state in states]},
    )


def save_polls(connection: Connection, polls: Iterable[Poll]) -> None:
    """Write one row per poll."""
    rows = [{field.name: getattr(poll, field.name) for field in fields(Poll)} for poll in polls]
    connection.execute(sql("feeds_save_fetches"), {"fetches": json.dumps(rows, default=_plain)})


def sync(connection: Connection, feeds: Sequence[Mapping[str, Any]], as_of: datetime) -> dict[str, int]:
    """Make the feeds of origin `file` those of the list: added, changed, removed (their articles stay), kept.

    A changed address in the list replaces the one in use and forgets what polling remembered of the old one. One that
    a permanent redirect replaced is no change, whatever else of the feed changes.
    """
    names = [feed["name"] for feed in feeds]
    query = "select feeds.*, previous_urls from feeds left join feed_states on feed_id = id where origin <> 'import'"
    before = {row.name: row for row in connection.execute(sa.text(query))}
    counts = {"added": 0, "changed": 0, "removed": 0, "kept": 0}
    for feed in feeds:
        known = before.get(feed["name"])
        if known is not None and feed["url"] in (known.previous_urls or ()):
            feed = {**feed, "url": known.url}
        kind = "added" if known is None else "changed" if _differs(known, feed) else "kept"
        counts[kind] += 1
        if kind != "kept":
            save_feed(connection, feed, as_of, origin="file")
    gone = [
        row.id
        for row in before.values()
        if row.origin == "file" and row.removed_at is None and row.name not in names
    ]
    connection.execute(
        sa.text("update feeds set removed_at = :as_of where id = any(cast(:ids as integer[]))"),
        {"as_of": as_of, "ids": gone},
    )
    counts["removed"] = len(gone)
    return counts


_DUE_AT_ONCE = (
    "update feed_states set status = 'ok', next_due_at = null, next_due_reason = null, gone_seen = 0, gone_first_at = null"
    " where feed_id = :id"
)


def save_feed(connection: Connection, feed: Mapping[str, Any], as_of: datetime, *, origin: str) -> int:
    """Insert or update one feed by name; returns its id. Columns as in table feeds, `name` and `url` required."""
    row = {column: feed.get(column, default) for column, default in _COLUMNS.items()}
    found = connection.execute(sql("feeds_save"), {**row, "origin": origin, "as_of": as_of}).one()
    if found.moved:
        connection.execute(sa.text("delete from feed_states where feed_id = :id"), {"id": found.id})
    elif found.returned:  # whether it was given up or backed off then says nothing of today
        connection.execute(sa.text(_DUE_AT_ONCE), {"id": found.id})
    connection.execute(
        sa.text("insert into feed_states (feed_id) values (:id) on conflict do nothing"), {"id": found.id}
    )
    return int(found.id)


def import_feed(connection: Connection, source: str, as_of: datetime) -> int:
    """The feed row that stands for an archive's outlet, made if need be."""
    row = {"name": f"import:{source}", "url": f"import:{source}", "title": source, "enabled": False}
    return save_feed(connection, row, as_of, origin="import")


def add_feed(connection: Connection, feed: Mapping[str, Any], as_of: datetime) -> int:
    """Adds one feed that a person asks for, due at once; returns its id. Raises UsageError where its name or address is another's.

    A removed feed comes back, with its options, under its own name and address only: the articles of that name are its own.
    """
    for known in connection.execute(
        sa.text("select * from feeds where name = :name or url = :url"), dict(feed)
    ):
        what = "name" if known.name == feed["name"] else "address"
        if known.removed_at is None:
            raise UsageError(f"feed {known.name} already has this {what}", "`undertow feeds list` shows all")
        if (known.name, known.url) != (feed["name"], feed["url"]):
            raise UsageError(
                f"this is the {what} of feed {known.name}, which was removed and keeps its articles",
                "take another name" if what == "name" else f"add it as {known.name}",
            )
        feed = _brought_back(known) | dict(feed)
    return save_feed(connection, feed, as_of, origin="desk")


def _brought_back(known: Row[Any]) -> dict[str, Any]:
    return {column: getattr(known, column) for column in _COLUMNS} | {"enabled": True}


def add_missing(connection: Connection, feeds: Iterable[Mapping[str, Any]], as_of: datetime) -> int:
    """Add those feeds whose address no configured feed has (origin desk), under free names; returns how many.

    A removed feed keeps its name, for its articles are its own; where its address is wanted it comes back as it was.
    """
    rows = list(connection.execute(sa.text("select * from feeds order by removed_at")))
    names = {row.name for row in rows}
    by_url = {row.url: row for row in rows}  # nulls sort last, so one that is not removed wins
    added = 0
    for feed in feeds:
        known = by_url.get(feed["url"])
        if known is None:
            feed = {**feed, "name": _free_name(feed["name"], names)}
            names.add(feed["name"])
        elif known.removed_at is not None:
            feed = _brought_back(known)
        else:
            continue
        save_feed(connection, feed, as_of, origin="desk")
        added += 1
    return added


def find_feed(connection: Connection, name: str) -> Row[Any] | None:
    """A feed by name or address, with its state and columns of both tables; None if there is none."""
    return connection.execute(
        sa.text(
            "select feed.*, to_jsonb(state) as state from feeds as feed left join feed_states as state on state.feed_id = feed.id"
            " where feed.name = :name or feed.url = :name order by (feed.name = :name) desc limit 1"
        ),
        {"name": name},
    ).one_or_none()


def feed_names(connection: Connection) -> list[str]:
    """Names of the feeds that are configured now."""
    query = sa.text("select name from feeds where removed_at is null and origin <> 'import' order by name")
    return list(connection.execute(query).scalars())


def list_feeds(connection: Connection) -> list[Row[Any]]:
    """Every feed that is configured now with its health, as in analytics.feed_health."""
    return list(connection.execute(sa.text("select * from analytics.feed_health order by name")))


def health_rows(connection: Connection, as_of: datetime) -> list[Row[Any]]:
    """What the health rules need of each feed: state, and counts of its last polls before `as_of`."""
    return list(connection.execute(sql("feeds_health"), {"as_of": as_of}))


def save_health_told(connection: Connection, told: Mapping[int, Mapping[str, str]]) -> None:
    """Remember which problems the operator was told of, per feed: problem -> time."""
    for feed_id, problems in told.items():
        connection.execute(
            sa.text("update feed_states set health_told = cast(:told as jsonb) where feed_id = :id"),
            {"id": feed_id, "told": json.dumps(problems)},
        )


def last_polls(connection: Connection, feed_id: int, limit: int) -> list[Row[Any]]:
    """The newest polls of a feed."""
    query = sa.text(
        "select * from feed_fetches where feed_id = :id order by started_at desc, id desc limit :limit"
    )
    return list(connection.execute(query, {"id": feed_id, "limit": limit}))


def revive(connection: Connection, feed_id: int) -> bool:
    """Poll a feed again that was given up (410, or by a person); whether it had been."""
    query = sa.text(f"{_DUE_AT_ONCE} and status in ('gone', 'dead')")
    return bool(connection.execute(query, {"id": feed_id}).rowcount)


def forget(
    connection: Connection, polls_before: datetime, rejects_before: datetime, as_of: datetime
) -> dict[str, int]:
    """Drop old polls, old rejects, and hosts whose rest is over; returns the rows by kind."""
    deleted = {
        "polls": ("delete from feed_fetches where started_at < :before", polls_before),
        "rejects": ("delete from article_rejects where seen_at < :before", rejects_before),
        "hosts": ("delete from host_states where not_before_at < :before", as_of),
    }
    return {
        kind: connection.execute(sa.text(query), {"before": before}).rowcount
        for kind, (query, before) in deleted.items()
    }


_COLUMNS: dict[str, Any] = {
    "name": None, "url": None, "title": "", "enabled": True, "language": None, "default_tz": None, "tags": [],
    "min_interval_s": 300, "user_agent": None, "may_store_body": True, "may_train": True, "full_text": False,
}  # fmt: skip


def _differs(known: Row[Any], feed: Mapping[str, Any]) -> bool:
    if known.removed_at is not None or known.origin != "file":
        return True
    return any(getattr(known, column) != feed.get(column, default) for column, default in _COLUMNS.items())


def _free_name(name: str, taken: Container[str]) -> str:
    """`name`, or the first of name-2, name-3, ... that is not taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _stored(row: Row[Any]) -> StoredFeed:
    state = State(
        feed_id=row.id, name=row.name, url=row.url, min_interval=timedelta(seconds=row.min_interval_s),
        previous_urls=tuple(row.previous_urls), hints=_hints(row.hints),
        body_hash=bytes(row.body_hash) if row.body_hash is not None else None,
        **{name: getattr(row, name) for name in _PLAIN_STATE},
    )  # fmt: skip
    options = FeedOptions(row.title, row.language, row.default_tz, row.may_store_body, row.identity_policy)
    return StoredFeed(state, options, row.user_agent, row.full_text)


_PLAIN_STATE = tuple(
    field.name
    for field in fields(State)
    if field.name not in ("feed_id", "name", "url", "min_interval", "previous_urls", "hints", "body_hash")
)


def _state_row(state: State) -> dict[str, Any]:
    row = {name: _plain(getattr(state, name)) for name in _PLAIN_STATE}
    hints = {"ttl_s": state.hints.ttl_s, "max_age_s": state.hints.max_age_s,
             "skip_hours": sorted(state.hints.skip_hours), "skip_days": sorted(state.hints.skip_days)}  # fmt: skip
    return row | {
        "feed_id": state.feed_id,
        "previous_urls": list(state.previous_urls),
        "hints": hints,
        "body_hash": state.body_hash.hex() if state.body_hash else None,
    }


def _hints(stored: Mapping[str, Any]) -> Hints:
    return Hints(
        stored.get("ttl_s"),
        stored.get("max_age_s"),
        frozenset(stored.get("skip_hours") or ()),
        frozenset(stored.get("skip_days") or ()),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
