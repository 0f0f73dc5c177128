"""Nightly upkeep of the room: which feeds are ill, and what is kept for a while only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.ingest.health import Problem, Vitals, problems, untold
from pipeline.ingest.stories import WINDOW
from pipeline.store import feeds, notifications, stories

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Engine

# Polls feed the health rules (14 days) and the desk's history.
KEEP_POLLS = timedelta(days=30)
KEEP_REJECTS = timedelta(days=90)


def feed_health(engine: Engine, *, settings: Settings, as_of: datetime) -> dict[str, Any]:
    """Look at every feed; what is new to the operator goes to the outbox (UNDERTOW_OPERATOR_RECEIVER), once a week at most.

    Returns feeds, problems (all of them, as text by feed) and told (how many the operator is told of now).
    """
    with engine.begin() as connection:
        rows = feeds.health_rows(connection, as_of)
        found = {row.feed_id: problems(_vitals(row), as_of) for row in rows}
        news: list[Problem] = []
        told: dict[int, dict[str, str]] = {}
        for row in rows:
            fresh = untold(found[row.feed_id], row.health_told, as_of)
            news += fresh
            still = {
                kind: at
                for kind, at in row.health_told.items()
                if kind in {p.kind for p in found[row.feed_id]}
            }
            after = still | {problem.kind: as_of.isoformat() for problem in fresh}
            if after != row.health_told and settings.operator_receiver:
                told[row.feed_id] = after
        if news:
            notifications.tell_operator(
                connection, settings.operator_receiver, _subject(news), _lines(news), _key(news, as_of), as_of
            )
        feeds.save_health_told(connection, told)
    said = [f"{problem.feed}: {problem.says}" for own in found.values() for problem in own]
    return {"feeds": len(rows), "problems": said, "told": len(news) if settings.operator_receiver else 0}


def prune(engine: Engine, *, as_of: datetime) -> dict[str, int]:
    """Drop copy keys older than 72 h, polls older than 30 days, rejects older than 90, rests of hosts that are over.

    Keys stay while an archive is imported: its own are as old as its articles.
    """
    with engine.begin() as connection:
        return {
            "keys": stories.forget_keys(connection, as_of - WINDOW - timedelta(hours=1)),
            **feeds.forget(connection, as_of - KEEP_POLLS, as_of - KEEP_REJECTS, as_of),
        }


def _subject(news: Sequence[Problem]) -> str:
    ill = len({problem.feed_id for problem in news})
    return f"{ill} feed{'s' * (ill != 1)} need{'s' * (ill == 1)} a look"


def _lines(news: Sequence[Problem]) -> list[str]:
    said = [f"{problem.feed}: {problem.says}" for problem in news]
    return [*said, "`undertow feeds why NAME` shows the last polls of a feed"]


def _key(news: Sequence[Problem], as_of: datetime) -> str:
    digest = hashlib.blake2b(
        "|".join(f"{p.feed_id}:{p.kind}" for p in news).encode(), digest_size=8
    ).hexdigest()
    return f"feed-health:{as_of:%Y-%m-%d}:{digest}"


def _vitals(row: Any) -> Vitals:
    return Vitals(
        row.feed_id, row.name, row.status, row.error_class, row.error_count, row.first_error_at, row.last_ok_at,
        row.last_new_item_at, row.median_gap_s, row.added_at, row.new_24h, row.seen_24h, row.bad_dates_24h,
        row.duplicate_24h, row.rejected_24h, row.recent_chars, row.usual_chars,
    )  # fmt: skip
