"""Article pages for feeds that send only a teaser: opt-in per feed, off by default, robots.txt respected.

Runs between storing and grouping, so that the page's text can take part in the story. A page that cannot be had is a
flag on its article and nothing else. Needs the extra `fulltext` (trafilatura), which works in the parsing processes:
it may run on for ever on hostile pages, and they may be killed.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from protego import Protego

from pipeline.errors import ConfigurationError, ParseError
from pipeline.ingest.addresses import read_allowed
from pipeline.ingest.answer import Request
from pipeline.ingest.fetch import Fetcher
from pipeline.ingest.links import host_of
from pipeline.ingest.parse_pool import ParsePool
from pipeline.store import articles

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Engine

# Pages per run: the rest of a burst keeps its teaser; scoring must not wait for pages.
RUN_PAGES = 200
# Seconds between two pages of a host where robots.txt names no crawl-delay, and the longest delay that is waited for.
PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one page: its text, or why there is none."""

    article_id: int
    text: str | None
    flag: str


def fetch_full_texts(engine: Engine, settings: Settings) -> dict[str, int]:
    """Fetch the pages of new articles of feeds marked full_text; returns counts by flag.

    Raises ConfigurationError where the extra is not installed.
    """
    if importlib.util.find_spec("trafilatura") is None:
        raise ConfigurationError(
            "UNDERTOW_FULL_TEXT is on but trafilatura is not installed", "pip install 'undertow[fulltext]'"
        )
    with engine.connect() as connection:
        wanted = articles.without_full_text(connection, RUN_PAGES)
    pages = asyncio.run(_fetch_all(wanted, settings)) if wanted else []
    with engine.begin() as connection:
        articles.save_full_texts(connection, [(page.article_id, page.text, page.flag) for page in pages])
    flags = [page.flag for page in pages]
    return {flag: flags.count(flag) for flag in sorted(set(flags))}


async def _fetch_all(wanted: Sequence[tuple[int, str]], settings: Settings) -> list[Page]:
    by_host: dict[str, list[tuple[int, str]]] = {}
    for article_id, url in wanted:
        by_host.setdefault(host_of(url), []).append((article_id, url))
    allowed = read_allowed(settings.fetch_allow_private)
    fetcher = Fetcher(
        timeout_s=settings.fetch_timeout_s, connections=settings.fetch_connections, allowed=allowed
    )
    async with fetcher, ParsePool(settings.parse_processes) as pool:
        hosts = [_Host(fetcher, pool, settings.fetch_user_agent).fetch(own) for own in by_host.values()]
        return [page for pages in await asyncio.gather(*hosts) for page in pages]


@dataclass(slots=True)
class _Host:
    """The pages of one host, one after the other."""

    fetcher: Fetcher
    pool: ParsePool
    user_agent: str

    async def fetch(self, wanted: Sequence[tuple[int, str]]) -> list[Page]:
        robots = await self._robots(wanted[0][1])
        if robots is None:
            return [Page(article_id, None, "robots_unknown") for article_id, _ in wanted]
        pause = min(robots.crawl_delay(self.user_agent) or PAUSE_S, LONGEST_PAUSE_S)
        pages = []
        for article_id, url in wanted:
            if not robots.can_fetch(url, self.user_agent):
                pages.append(Page(article_id, None, "robots_forbid"))
                continue
            await asyncio.sleep(pause)
            pages.append(await self._page(article_id, url))
        return pages

    async def _robots(self, url: str) -> Protego | None:
        """The host's rules; None where it cannot say, which means no."""
        parts = urlsplit(url)
        answer = await self.fetcher.get(
            Request(f"{parts.scheme}://{parts.netloc}/robots.txt", self.user_agent)
        )
        if (
            answer.error is None
            and answer.status is not None
            and 400 <= answer.status < 500
            and answer.status != 429
        ):
            return Protego.parse("")
        if answer.error is not None or answer.status != 200:
            return None
        return Protego.parse(answer.body[: 512 * 1024].decode("utf-8", "replace"))

    async def _page(self, article_id: int, url: str) -> Page:
        answer = await self.fetcher.get(Request(url, self.user_agent))
        if answer.error is not None or answer.status != 200:
            return Page(article_id, None, "page_failed")
        try:
            text = await self.pool.extract(answer.body, answer.url)
        except ParseError:
            return Page(article_id, None, "page_unreadable")
        return Page(article_id, text, "full_text") if text else Page(article_id, None, "page_empty")
