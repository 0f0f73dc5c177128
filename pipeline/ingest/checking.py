"""Looking at one feed without storing anything: what an address brings now, and why a feed is due when it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import ParseError
from pipeline.ingest.answer import Answer, Request
from pipeline.ingest.articles import FeedOptions, Prepared
from pipeline.ingest.fetch import Fetcher
from pipeline.ingest.outcome import State, decide
from pipeline.ingest.parse_pool import ParsePool
from pipeline.store import feeds
from pipeline.values import read_allowed

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Connection, Row

POLLS_SHOWN = 10


def check_address(
    url: str, settings: Settings, as_of: datetime, *, default_tz: str | None = None
) -> dict[str, Any]:
    """Fetch and parse an address as a poll would: status, format, items, dates, warnings, `error` in words or None."""
    answer, prepared, error = asyncio.run(_try(url, settings, FeedOptions(default_tz=default_tz), as_of))
    outcome = decide(
        answer,
        State(0, url, url, timedelta(seconds=300)),
        as_of,
        parsed=prepared is not None,
        parse_error=error,
    )
    report: dict[str, Any] = {
        "url": answer.url, "http_status": answer.status, "bytes": answer.body_bytes, "duration_ms": answer.duration_ms,
        "error_class": outcome.error_class, "error": outcome.error_message,
    }  # fmt: skip
    if prepared is not None:
        drafts = prepared.drafts
        report |= {
            "title": prepared.title, "items": prepared.seen, "rejected": prepared.rejected,
            "without_usable_date": sum(draft.published_at is None for draft in drafts),
            "languages": sorted({draft.language or "unknown" for draft in drafts}),
            "warnings": list(prepared.warnings), "newest": drafts[0].title if drafts else None,
        }  # fmt: skip
    return report


def explain(connection: Connection, feed: Row[Any], as_of: datetime) -> dict[str, Any]:
    """Why a feed is polled when it is: a sentence, its state and last polls."""
    stored = feeds.load_feeds(connection, [feed.id])[feed.id].state
    return {
        "feed": feed.name,
        "url": stored.url,
        "status": stored.status,
        "paused_at": feed.paused_at,
        "next_due_at": stored.next_due_at,
        "reason": stored.next_due_reason,
        "sentence": _sentence(feed, stored, as_of),
        "polls": [dict(row._mapping) for row in feeds.last_polls(connection, feed.id, POLLS_SHOWN)],
    }


def _sentence(feed: Row[Any], state: State, as_of: datetime) -> str:
    if feed.removed_at is not None:
        return f"{feed.name} is not polled: it left feeds.toml at {feed.removed_at:%Y-%m-%d %H:%M} UTC."
    if feed.paused_at is not None:
        return f"{feed.name} is not polled: it was paused at the desk at {feed.paused_at:%Y-%m-%d %H:%M} UTC; resume it there."
    if not feed.enabled:
        return f"{feed.name} is not polled: it is disabled in its configuration."
    if state.status in ("gone", "dead"):
        return f"{feed.name} is polled {state.next_due_reason or 'never: it was disabled by a person'}."
    if state.next_due_at is None:
        return f"{feed.name} is due at once: it was never polled, or its address changed."
    wait = state.next_due_at - as_of
    when = f"in {_say(wait)}" if wait > timedelta() else "now"
    return f"{feed.name} is due {when} ({state.next_due_at:%Y-%m-%d %H:%M:%S} UTC): {state.next_due_reason}."


def _say(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"


async def _try(
    url: str, settings: Settings, options: FeedOptions, as_of: datetime
) -> tuple[Answer, Prepared | None, ParseError | None]:
    allowed = read_allowed(settings.fetch_allow_private)
    async with (
        Fetcher(timeout_s=settings.fetch_timeout_s, connections=1, allowed=allowed) as fetcher,
        ParsePool(1) as pool,
    ):
        answer = await fetcher.get(Request(url, settings.fetch_user_agent))
        if answer.error is not None or answer.status != 200:
            return answer, None, None
        try:
            prepared = await pool.prepare(answer.body, answer.headers, answer.url, options, as_of)
        except ParseError as error:
            return replace(answer, body=b""), None, error
        return answer, prepared, None
