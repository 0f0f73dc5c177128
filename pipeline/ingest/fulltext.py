"""Article pages for feeds that send only a teaser: opt-in per feed, off by default, robots.txt respected.

Runs between storing and grouping, so that the page's text can take part in the story. Grouping waits for it, so it
ends after RUN_S: what was not read by then keeps its teaser. One run at a time fetches, the pages of all of them. A
page that cannot be had is a flag on its article and nothing else. Needs the extra `fulltext` (trafilatura). Pages and
robots.txt are read in the parsing processes: hostile ones may take all time and memory, and those may be killed.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError, ParseError
from pipeline.ingest.answer import Request
from pipeline.ingest.fetch import Fetcher
from pipeline.ingest.links import host_of
from pipeline.ingest.parse_pool import ParsePool
from pipeline.ingest.robots import Robots
from pipeline.store import articles, stories
from pipeline.values import read_allowed

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Engine

# Pages per run: the rest of a burst keeps its teaser; scoring must not wait for pages.
RUN_PAGES = 200
# Seconds per run: the stories of every feed wait meanwhile, and a run comes every five minutes. At the usual pause it is
# enough for 150 pages of one host; at the longest, for five.
RUN_S = 180.0
# Seconds between two pages of a host where robots.txt names no crawl-delay, and the longest delay that is waited for.
PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one page: its text, or why there is none."""

    article_id: int
    text: str | None
    flag: str


def fetch_full_texts(engine: Engine, settings: Settings) -> dict[str, int] | None:
    """Fetch the pages of new articles of feeds marked full_text, for RUN_S at most; returns counts by flag.

    None where another run is at it: it takes our pages too, and groups what waits when it is done.
    Raises ConfigurationError where the extra is not installed.
    """
    if importlib.util.find_spec("trafilatura") is None:
        raise ConfigurationError(
            "UNDERTOW_FULL_TEXT is on but trafilatura is not installed", "pip install 'undertow[fulltext]'"
        )
    with stories.hold_pages(engine) as alone:
        if not alone:
            return None
        pages = _Pages(engine)
        with suppress(TimeoutError):
            asyncio.run(_fetch_all(pages, settings))
        return dict(sorted(pages.flags.items()))


async def _fetch_all(pages: _Pages, settings: Settings) -> None:
    """Round after round, since other runs store articles meanwhile. Raises TimeoutError after RUN_S."""
    allowed = read_allowed(settings.fetch_allow_private)
    fetcher = Fetcher(
        timeout_s=settings.fetch_timeout_s, connections=settings.fetch_connections, allowed=allowed
    )
    async with fetcher, ParsePool(settings.parse_processes) as pool, asyncio.timeout(RUN_S):
        while wanted := await pages.wanted():
            hosts = [_Host(fetcher, pool, settings.fetch_user_agent, pages) for _ in wanted]
            await asyncio.gather(*[host.fetch(own) for host, own in zip(hosts, wanted, strict=True)])


def _by_host(wanted: Sequence[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    by_host: dict[str, list[tuple[int, str]]] = {}
    for article_id, url in wanted:
        by_host.setdefault(host_of(url), []).append((article_id, url))
    return list(by_host.values())


@dataclass(slots=True)
class _Pages:
    """The pages of a run: which are wanted, and what became of them. Each is saved as it comes; a kill loses what is under way."""

    engine: Engine
    flags: Counter[str] = field(default_factory=Counter)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # all hosts together use one connection

    async def wanted(self) -> list[list[tuple[int, str]]]:
        """(article_id, url) of the pages still to fetch, by host."""
        return await asyncio.to_thread(self._wanted)

    async def save(self, *pages: Page) -> None:
        async with self.turn:
            await asyncio.to_thread(self._save, pages)

    def _wanted(self) -> list[list[tuple[int, str]]]:
        with self.engine.connect() as connection:
            return _by_host(articles.without_full_text(connection, RUN_PAGES - self.flags.total()))

    def _save(self, pages: Sequence[Page]) -> None:
        with self.engine.begin() as connection:
            articles.save_full_texts(connection, [(page.article_id, page.text, page.flag) for page in pages])
        self.flags.update(page.flag for page in pages)


@dataclass(slots=True)
class _Host:
    """The pages of one host, one after the other."""

    fetcher: Fetcher
    pool: ParsePool
    user_agent: str
    pages: _Pages

    async def fetch(self, wanted: Sequence[tuple[int, str]]) -> None:
        robots = await self._robots([url for _, url in wanted])
        if robots is None:
            await self.pages.save(*[Page(article_id, None, "robots_unknown") for article_id, _ in wanted])
            return
        pause = min(robots.delay_s or PAUSE_S, LONGEST_PAUSE_S)
        for article_id, url in wanted:
            if url not in robots.allowed:
                await self.pages.save(Page(article_id, None, "robots_forbid"))
                continue
            await asyncio.sleep(pause)
            await self.pages.save(await self._page(article_id, url))

    async def _robots(self, urls: Sequence[str]) -> Robots | None:
        """What the host allows of them; None where it cannot say, or not in time, which means no."""
        parts = urlsplit(urls[0])
        answer = await self.fetcher.get(
            Request(f"{parts.scheme}://{parts.netloc}/robots.txt", self.user_agent)
        )
        if (
            answer.error is None
            and answer.status is not None
            and 400 <= answer.status < 500
            and answer.status != 429
        ):
            return Robots(None, frozenset(urls))
        if answer.error is not None or answer.status != 200:
            return None
        try:
            return await self.pool.read_robots(answer.body, urls, self.user_agent)
        except ParseError:
            return None

    async def _page(self, article_id: int, url: str) -> Page:
        answer = await self.fetcher.get(Request(url, self.user_agent))
        if answer.error is not None or answer.status != 200:
            return Page(article_id, None, "page_failed")
        try:
            text = await self.pool.extract(answer.body, answer.url)
        except ParseError:
            return Page(article_id, None, "page_unreadable")
        return Page(article_id, text, "full_text") if text else Page(article_id, None, "page_empty")
