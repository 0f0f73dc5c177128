"""Polling: fetch, parse, judge and store, each feed's outcome with its articles in one transaction.

Requests run at once across hosts and one after the other on each; results are stored in batches meanwhile. Feeds that
fail as they would without a network wait until enough hosts answered, or the run is over and can say whose fault it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.errors import ParseError
from pipeline.ingest.answer import Answer, OddAnswer, Request
from pipeline.ingest.articles import Prepared, Rejected, count_rejected
from pipeline.ingest.fetch import Fetcher
from pipeline.ingest.group import Grouped, group_stored, group_waiting, open_memory
from pipeline.ingest.grouping import GroupingMemory, Waiting
from pipeline.ingest.hosts import Visit
from pipeline.ingest.judge import Judged, judge_document, wanted_aliases, wanted_keys
from pipeline.ingest.links import host_of
from pipeline.ingest.outcome import (
    Outcome,
    State,
    decide,
    egress_is_down,
    egress_is_up,
    excuse,
    is_network_error,
    needs_parsing,
)
from pipeline.ingest.parse_pool import ParsePool
from pipeline.ingest.report import IngestReport
from pipeline.store import articles, feeds
from pipeline.store.stories import any_ungrouped, merge_search
from pipeline.values import read_allowed

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.engine import Connection, Engine

log = logging.getLogger(__name__)
# Between two requests to one host, seconds: several feed hosts answer 429 to more.
HOST_PAUSE_S = 1.0
# Feeds per transaction at most, when they bring few items.
BATCH_FEEDS = 200
# Seconds after which what waits is stored although it fills no batch: so much is lost to a kill, and so long the last
# answers wait beside a slow host. A run without slow hosts is over before.
STORE_AFTER_S = 15.0
# Batches that are stored at once.
STORING = 2
# Items that are worth a batch while none is being stored.
FIRST_ROWS = 250
# New stories after which the full-text index is brought up to date: 11 MB of entries, with which a search takes 1 ms longer.
MERGE_STORIES = 5_000


class Signal(Enum):
    """What the writer is told beside the polls: to store what waits, and that no more come."""

    STORE = "store"
    END = "end"


@dataclass(slots=True)
class Polled:
    """A feed, what its server said, and what the parser made of it."""

    feed: feeds.StoredFeed
    answer: Answer
    prepared: Prepared | None = None
    parse_error: ParseError | None = None

    @property
    def feed_id(self) -> int:
        return self.feed.state.feed_id

    @property
    def items(self) -> int:
        return self.prepared.seen if self.prepared else 0


@dataclass(slots=True)
class Polling:
    """One run over some feeds.

    `waiting`: polls that the next batch stores; `suspects`: those that failed as they would without a network of our own.
    `hosts`: host -> whether all its answers so far failed that way, of `expected_hosts`. `unmerged`: new stories since the
    full-text index was last brought up to date. `guard` is held to change what two batches share: `memory`, `grouped`,
    `unmerged` and `report`.
    """

    engine: Engine
    settings: Settings
    as_of: datetime
    report: IngestReport
    waiting: list[Polled] = field(default_factory=list)
    suspects: list[Polled] = field(default_factory=list)
    hosts: dict[str, bool] = field(default_factory=dict)
    expected_hosts: int = 0
    memory: GroupingMemory | None = None
    grouped: Grouped = field(default_factory=Grouped)
    unmerged: int = 0
    guard: Lock = field(default_factory=Lock)

    async def poll(self, feed_ids: Sequence[int]) -> None:
        """Polls the feeds and stores what they bring; `report` and `grouped` count it.

        A feed raises nothing; what the database raises comes in an exception group.
        """
        with self.engine.begin() as connection:
            stored = feeds.load_feeds(connection, feed_ids)
        visits = self._visits(stored.values())
        allowed = read_allowed(self.settings.fetch_allow_private)
        connections = self.settings.fetch_connections
        gate = asyncio.Semaphore(connections)
        fetcher = Fetcher(timeout_s=self.settings.fetch_timeout_s, connections=connections, allowed=allowed)
        async with fetcher, ParsePool(self.settings.parse_processes) as pool, asyncio.TaskGroup() as tasks:
            done: asyncio.Queue[Polled | Signal] = asyncio.Queue(maxsize=1)
            writer = tasks.create_task(self._write(done))
            polls = [
                tasks.create_task(self._poll_host(visit, stored, fetcher, pool, gate, done))
                for visit in visits
            ]
            clock = tasks.create_task(_tick(done))
            await asyncio.wait(polls)
            clock.cancel()
            await done.put(Signal.END)
            await writer
        self._settle_suspects()

    def group(self) -> None:
        """Group what waits still: articles of a run that was killed, or whose pages had to be fetched first."""
        with self.engine.connect() as connection:
            if not any_ungrouped(connection):
                return  # nothing is new: spare the watch list's automaton
        group_waiting(self.engine, self._memory(), self.grouped)

    def _memory(self) -> GroupingMemory:
        with self.guard:
            self.memory = self.memory or open_memory(self.engine)
            return self.memory

    def _visits(self, stored: Iterable[feeds.StoredFeed]) -> list[Visit]:
        by_host: dict[str, list[State]] = {}
        for feed in stored:
            by_host.setdefault(host_of(feed.state.url), []).append(feed.state)
        self.expected_hosts = len(by_host)
        scope = self.settings.fetch_retry_after_scope
        return [Visit(host, states, scope=scope) for host, states in by_host.items()]

    async def _poll_host(
        self,
        visit: Visit,
        stored: Mapping[int, feeds.StoredFeed],
        fetcher: Fetcher,
        pool: ParsePool,
        gate: asyncio.Semaphore,
        done: asyncio.Queue[Polled | Signal],
    ) -> None:
        """The feeds of one host, one after the other."""
        began, state = time.monotonic(), visit.next_feed()
        while state is not None:
            feed = stored[state.feed_id]
            # The gate is held until the writer takes it: else all feeds are parsed before the first are stored.
            async with gate:
                answer = await fetcher.get(_request(feed, self.settings.fetch_user_agent))
                await done.put(await self._parse(Polled(feed, answer), pool))
            for spared, failure in visit.heard(answer, spent_s=time.monotonic() - began):
                await done.put(Polled(stored[spared.feed_id], failure))
            state = visit.next_feed()
            if state is not None:
                await asyncio.sleep(HOST_PAUSE_S)

    async def _parse(self, polled: Polled, pool: ParsePool) -> Polled:
        answer, feed = polled.answer, polled.feed
        if needs_parsing(answer, feed.state):
            try:
                polled.prepared = await pool.prepare(
                    answer.body, answer.headers, answer.url, feed.options, self.as_of
                )
            except ParseError as error:
                polled.parse_error = error
        answer.body = b""  # it may be large, and its batch may wait
        return polled

    async def _write(self, done: asyncio.Queue[Polled | Signal]) -> None:
        """Collect polls into batches of about 1,000 items or 15 s, the first smaller; store each in a transaction, off the event loop.

        Two at once: while one waits for the database, the other is made ready, and the database works on both.
        """
        storing: set[asyncio.Task[None]] = set()
        while (came := await done.get()) is not Signal.END:
            if isinstance(came, Polled):
                self._take(came)
                if not self._is_full(idle=all(task.done() for task in storing)):
                    continue
            self._acquit()
            if not self.waiting:
                continue
            if len(storing) >= STORING:
                ended, storing = await asyncio.wait(storing, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
            storing.add(self._start_storing())
        if self.waiting:
            storing.add(self._start_storing())
        for task in storing:
            await task

    def _start_storing(self) -> asyncio.Task[None]:
        batch, self.waiting = self.waiting, []
        return asyncio.create_task(asyncio.to_thread(self._store, batch))

    def _is_full(self, idle: bool) -> bool:
        """Whether what waits makes a batch; a small one does while none is being stored."""
        items = sum(waiting.items for waiting in self.waiting)
        return items >= (FIRST_ROWS if idle else articles.BATCH_ROWS) or len(self.waiting) >= BATCH_FEEDS

    def _take(self, polled: Polled) -> None:
        """Put an answer to its batch, or to the suspects if it failed as it would without a network."""
        suspect = is_network_error(polled.answer)
        host = host_of(polled.feed.state.url)
        self.hosts[host] = self.hosts.get(host, True) and suspect
        (self.suspects if suspect else self.waiting).append(polled)

    def _acquit(self) -> None:
        """Put the suspects to the batch once our own network is known to work: a kill must not lose their errors."""
        if self.suspects and egress_is_up(self.hosts, self.expected_hosts):
            self.waiting += self.suspects
            self.suspects = []

    def _settle_suspects(self) -> None:
        if self.suspects:
            self._store(self.suspects, blameless=egress_is_down(self.hosts))

    def _store(self, batch: list[Polled], blameless: bool = False) -> None:
        with self.engine.begin() as connection:
            locked = feeds.load_feeds(connection, [polled.feed_id for polled in batch], lock=True)
            judged, stored = _store_articles(connection, batch, self.as_of, not self.settings.full_text)
            outcomes = [self._outcome(polled, locked[polled.feed_id], judged, blameless) for polled in batch]
            feeds.save_states(connection, [outcome.state for outcome in outcomes])
            polls = [
                _poll_row(polled, outcome, judged.get(polled.feed_id), self.as_of)
                for polled, outcome in zip(batch, outcomes, strict=True)
            ]
            feeds.save_polls(connection, polls)
            rests = [outcome.rest for outcome in outcomes if outcome.rest]
            for rest in sorted(rests, key=lambda rest: rest.host):  # in one order, since batches share hosts
                feeds.rest_host(connection, rest.host, rest.until, rest.reason)
            grouped = self._group(connection, stored)
        with self.guard:
            self.grouped.stories += grouped.stories
            self.grouped.copies += grouped.copies
            self.grouped.mentions += grouped.mentions
            for poll in polls:
                _count(self.report, poll)
            self.unmerged += grouped.stories
            merge = self.unmerged >= MERGE_STORIES
            self.unmerged = 0 if merge else self.unmerged
        if merge:
            merge_search(self.engine)

    def _group(self, connection: Connection, stored: list[tuple[Waiting, int]]) -> Grouped:
        """Group what the transaction stored with the id of a story to be; comes last, since other runs wait for it."""
        if not stored:
            return Grouped()
        waiting, story_ids = zip(*stored, strict=True)
        return group_stored(connection, self._memory(), waiting, story_ids)

    def _outcome(
        self, polled: Polled, feed: feeds.StoredFeed, judged: dict[int, Judged], blameless: bool
    ) -> Outcome:
        """What the poll means for its feed. What goes wrong here is that feed's error: the others of the batch are settled."""
        try:
            outcome = self._decide(polled, feed.state, judged)
        except Exception as error:
            log.exception("the answer of feed %s could not be judged", feed.state.name)
            fault = OddAnswer(
                f"the answer could not be judged: {type(error).__name__}: {error}", "report the feed"
            )
            outcome = decide(Answer(polled.answer.url, error=fault), feed.state, self.as_of)
        return excuse(outcome, feed.state, self.as_of) if blameless else outcome

    def _decide(self, polled: Polled, state: State, judged: dict[int, Judged]) -> Outcome:
        prepared = polled.prepared
        if prepared is not None:
            found = judged[polled.feed_id]
            state = replace(
                state, identity_policy=prepared.identity_policy,
                median_gap_s=prepared.median_gap_s or state.median_gap_s,
                usual_body_chars=prepared.usual_body_chars or state.usual_body_chars,
                last_new_item_at=self.as_of if found.new else state.last_new_item_at,
            )  # fmt: skip
        return decide(
            polled.answer, state, self.as_of, parsed=prepared is not None, parse_error=polled.parse_error,
            new_hints=prepared.hints if prepared else None, scope=self.settings.fetch_retry_after_scope,
        )  # fmt: skip


async def _tick(done: asyncio.Queue[Polled | Signal]) -> None:
    while True:
        await asyncio.sleep(STORE_AFTER_S)
        await done.put(Signal.STORE)


def _request(feed: feeds.StoredFeed, user_agent: str) -> Request:
    state = feed.state
    return Request(
        state.url, feed.user_agent or user_agent, state.etag, state.last_modified, state.validators_url
    )


def _store_articles(
    connection: Connection, batch: Iterable[Polled], as_of: datetime, grouped: bool
) -> tuple[dict[int, Judged], list[tuple[Waiting, int]]]:
    """Judge and store the documents of a batch; the counts per feed obey the conservation law.

    `grouped`: also returns the new articles, each with the id of a story to be.
    """
    documents = {polled.feed_id: polled.prepared for polled in batch if polled.prepared is not None}
    by_key = articles.find_by_key(connection, wanted_keys(documents))
    by_alias = articles.find_by_alias(connection, wanted_aliases(documents, by_key))
    judged = {
        feed_id: judge_document(feed_id, document, by_key, by_alias, as_of)
        for feed_id, document in documents.items()
    }
    new = [
        articles.NewArticle(feed_id, key, draft, as_of)
        for feed_id, found in judged.items()
        for key, draft in found.new
    ]
    stored, refused = articles.insert_articles(connection, new, grouped=grouped)
    _settle_refused(judged, new, stored, refused)
    revised = [
        articles.Revision(feed_id, *again) for feed_id, found in judged.items() for again in found.revised
    ]
    articles.revise_articles(connection, revised, as_of)
    renamed = [
        articles.Revision(feed_id, *again) for feed_id, found in judged.items() for again in found.renamed
    ]
    articles.rename_articles(connection, renamed)
    rejects = [(feed_id, reject) for feed_id, found in judged.items() for reject in found.rejects]
    articles.insert_rejects(connection, rejects, as_of)
    return judged, articles.waiting(new, stored)


def _settle_refused(
    judged: dict[int, Judged],
    new: list[articles.NewArticle],
    stored: dict[tuple[int, bytes], articles.Stored],
    refused: list[tuple[articles.NewArticle, str]],
) -> None:
    """Rows that the database refused become rejects, rows that another run stored meanwhile are unchanged."""
    for article, reason in refused:
        found = judged[article.feed_id]
        found.new.remove((article.item_key, article.draft))
        found.rejects.append(Rejected("database", reason, article.draft.title))
    turned_away = {(article.feed_id, article.item_key) for article, _ in refused}
    for article in new:
        place = (article.feed_id, article.item_key)
        if place not in stored and place not in turned_away:
            judged[article.feed_id].new.remove((article.item_key, article.draft))
            judged[article.feed_id].unchanged += 1


def _poll_row(polled: Polled, outcome: Outcome, judged: Judged | None, as_of: datetime) -> feeds.Poll:
    answer = polled.answer
    poll = feeds.Poll(
        polled.feed_id, as_of, answer.duration_ms, outcome.kind, answer.status, answer.wire_bytes, answer.body_bytes,
        outcome.error_class, outcome.error_message,
    )  # fmt: skip
    if judged is None or polled.prepared is None:
        return poll
    return replace(
        poll, seen=polled.prepared.seen, new=len(judged.new), revised=len(judged.revised), unchanged=judged.unchanged,
        duplicate=judged.duplicates, rejected=count_rejected(judged.rejects), warnings=polled.prepared.warnings,
        bad_dates=sum(draft.published_at is None for _, draft in judged.new),
    )  # fmt: skip


def _count(report: IngestReport, poll: feeds.Poll) -> None:
    setattr(report, poll.outcome, getattr(report, poll.outcome) + 1)
    for name in ("seen", "new", "revised", "unchanged", "duplicate", "rejected"):
        setattr(report, name, getattr(report, name) + getattr(poll, name))
