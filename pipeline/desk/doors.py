"""What the desk asks of other rooms beyond the database: a look at a feed, and the switch of the champion."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.engine import Engine

from pipeline.errors import FetchError, ParseError, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.ingest.articles import Prepared

# Items shown of a feed that was looked at.
SHOWN = 8


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """What a feed brings: where it is after redirects, its title, its newest items, and what was odd."""

    url: str
    title: str
    items: int
    newest: tuple[tuple[str, datetime | None], ...]
    warnings: tuple[str, ...]


def check_feed(settings: Settings, url: str, *, as_of: datetime) -> FoundFeed:
    """Fetches and parses a feed as a poll would, and stores nothing.

    Raises UsageError with the reason: no answer, a private address, no feed, a feed without items.
    """
    try:
        return asyncio.run(_look(settings, url, as_of))
    except (FetchError, ParseError) as error:
        raise UsageError(
            f"{type(error).__name__}: {error.message}", error.advice or "check the address"
        ) from error


async def _look(settings: Settings, url: str, as_of: datetime) -> FoundFeed:
    from pipeline.ingest.addresses import read_allowed
    from pipeline.ingest.answer import Request
    from pipeline.ingest.articles import FeedOptions
    from pipeline.ingest.fetch import Fetcher
    from pipeline.ingest.parse_pool import ParsePool

    allowed = read_allowed(settings.fetch_allow_private)
    async with Fetcher(timeout_s=settings.fetch_timeout_s, connections=1, allowed=allowed) as fetcher:
        answer = await fetcher.get(Request(url, settings.fetch_user_agent))
    if answer.error is not None:
        raise answer.error
    if answer.status != 200:
        raise UsageError(f"the server answers {answer.status}", "check the address in a browser")
    async with ParsePool(1) as pool:
        prepared = await pool.prepare(answer.body, answer.headers, answer.url, FeedOptions(), as_of)
    if not prepared.drafts:
        raise UsageError("this is a feed without items", "add it once it has some")
    return _found(answer.url, prepared)


def _found(url: str, prepared: Prepared) -> FoundFeed:
    newest = tuple((draft.title, draft.published_at) for draft in prepared.drafts[:SHOWN])
    return FoundFeed(url, prepared.title, len(prepared.drafts), newest, prepared.warnings)


def promote(
    engine: Engine, settings: Settings, version: str, *, by: str, reason: str, as_of: datetime
) -> None:
    """Makes `version` champion: one atomic switch, its files verified first. Raises UsageError, ModelUnavailable."""
    from pipeline import run
    from pipeline.store import models

    with engine.connect() as connection:
        stored = models.find_model(connection, version)
    if stored is None:
        raise UsageError(f"there is no model {version!r}", "choose one of the list")
    run.model_path(run.Line(settings, engine), stored)
    with engine.begin() as connection:
        models.point_alias(connection, version, by=by, reason=reason, as_of=as_of)
