"""The second half of the ingest step: articles without a story get theirs, with mentions and novelty."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.ingest import grouping
from pipeline.ingest.grouping import GroupingMemory, Placement, Reading, Waiting
from pipeline.ingest.mentions import WatchList
from pipeline.ingest.novelty import HORIZONS, SeenShingles
from pipeline.ingest.stories import WINDOW, shingles
from pipeline.store import companies, stories

if TYPE_CHECKING:
    from pipeline.store.engine import Connection, Engine

# Articles per transaction; others wait for the grouping lock meanwhile, about 0.5 s.
BATCH = 1_000


# Grouping keeps thousands of sets of words and makes no cycles; at Python's own pace (700 new objects) the collector
# walks all of them again and again for nothing, a fifth of the time of a run.
COLLECT_AFTER = 100_000


@dataclass(slots=True)
class Grouped:
    """Counts of a grouping."""

    stories: int = 0
    copies: int = 0
    mentions: int = 0

    def add(self, readings: Sequence[Reading], placements: Sequence[Placement]) -> None:
        """Counts a batch; the two have one entry for each article, in the same order."""
        begun = sum(placement.road == "first" for placement in placements)
        self.stories += begun
        self.copies += len(placements) - begun
        self.mentions += sum(len(reading.mentions) for reading in readings)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Garbage is looked for after 100,000 new objects while this lasts."""
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def open_memory(engine: Engine) -> GroupingMemory:
    """What grouping keeps between batches of a run, with the watch list as it is now."""
    with engine.connect() as connection:
        return GroupingMemory(WatchList(companies.watched(connection)))


def group_waiting(
    engine: Engine, memory: GroupingMemory | None = None, grouped: Grouped | None = None
) -> Grouped:
    """Group every article that has no story, in batches, each in a transaction; counts are added to `grouped`."""
    grouped, size = grouped or Grouped(), BATCH
    while size == BATCH:
        memory = memory or open_memory(engine)
        with engine.begin() as connection:
            size = group_batch(connection, memory, grouped)
    return grouped


def group_batch(connection: Connection, memory: GroupingMemory, grouped: Grouped) -> int:
    """Group up to 1,000 waiting articles inside the caller's transaction; returns how many there were."""
    stories.lock_grouping(connection)
    waiting = stories.ungrouped(connection, BATCH)
    if waiting:
        readings = grouping.read(memory, waiting)
        placements, story_ids = (
            _place(connection, memory, readings),
            stories.next_ids(connection, len(waiting)),
        )
        begun = _beginners(placements)
        stories.insert_stories(connection, [_new_story(waiting[n], readings[n], story_ids[n]) for n in begun])
        _write(connection, memory, waiting, readings, begun, story_ids)
        stories.join_articles(connection, _joined(waiting, placements, story_ids))
        grouped.add(readings, placements)
    return len(waiting)


def group_stored(
    connection: Connection,
    memory: GroupingMemory,
    waiting: Sequence[Waiting],
    story_ids: Sequence[int],
) -> Grouped:
    """Group articles that the caller's transaction stored with `story_ids`; the end of it, since others wait from here on.

    Every article begins its story before its turn comes, and a copy gives it back: some are written for nothing, but
    others do not wait for the writing of stories, which takes longest.
    """
    grouped = Grouped()
    if waiting:
        readings = grouping.read(memory, waiting)
        stories.insert_stories(connection, list(map(_new_story, waiting, readings, story_ids)))
        stories.lock_grouping(connection)
        placements = _place(connection, memory, readings, story_ids)
        begun = _beginners(placements)
        _write(connection, memory, waiting, readings, begun, story_ids)
        copies = [found for found in _joined(waiting, placements, story_ids) if found[2] != "first"]
        stories.join_articles(connection, copies)
        stories.delete_stories(connection, sorted(set(story_ids) - {story_ids[n] for n in begun}))
        grouped.add(readings, placements)
    return grouped


def _new_story(article: Waiting, reading: Reading, story_id: int) -> stories.NewStory:
    return stories.NewStory(story_id, article, reading.text, reading.text_hash)


def _beginners(placements: Sequence[Placement]) -> list[int]:
    """The places of those that begin a story."""
    return [n for n, placement in enumerate(placements) if placement.road == "first"]


def _place(
    connection: Connection, memory: GroupingMemory, readings: Sequence[Reading], own: Sequence[int] = ()
) -> list[Placement]:
    """Where each article goes; `own` are the stories that they began before they were placed, which are none yet."""
    if not memory.has_keys:
        _restore_keys(connection, memory, own)
    keys = [stories.Keys(reading.keys, reading.url_key, reading.available_at) for reading in readings]
    stored = [
        [grouping.candidate(memory, c.story_id, c.road, c.title, c.text, c.available_at) for c in found]
        for found in stories.candidates(connection, keys, own)
    ]
    return grouping.place(readings, stored)


def _write(
    connection: Connection,
    memory: GroupingMemory,
    waiting: Sequence[Waiting],
    readings: Sequence[Reading],
    begun: Sequence[int],
    story_ids: Sequence[int],
) -> None:
    """The keys and novelties of stories that begin, the mentions of all articles."""
    _remember_companies(connection, memory, readings)
    stories.insert_keys(
        connection, [(story_ids[n], readings[n].keys, readings[n].available_at) for n in begun]
    )
    mentions = [
        (waiting[n].id, mention) for n, reading in enumerate(readings) for mention in reading.mentions
    ]
    stories.insert_mentions(connection, mentions)
    found = [
        (story_ids[n], company, shares)
        for n in begun
        for company, shares in grouping.novelties(memory, readings[n])
    ]
    stories.insert_novelties(connection, found)


def _joined(
    waiting: Sequence[Waiting], placements: Sequence[Placement], story_ids: Sequence[int]
) -> list[tuple[int, int, str]]:
    """(article_id, story_id, road) for each article; one that begins a story has the id at its own place."""
    return [
        (article.id, _story_id(placement, n, story_ids), placement.road)
        for n, (article, placement) in enumerate(zip(waiting, placements, strict=True))
    ]


def _story_id(placement: Placement, n: int, story_ids: Sequence[int]) -> int:
    if placement.story_id is not None:
        return placement.story_id
    return story_ids[n if placement.begun_by is None else placement.begun_by]


def _restore_keys(connection: Connection, memory: GroupingMemory, own: Sequence[int]) -> None:
    """Make the keys of the last stories anew where there are none, lost in a crash or made in another way; `own` get theirs when placed."""
    if stories.any_keys(connection):
        # by transactions that are done; what this one makes it may yet take back, and the next must look again
        memory.has_keys = True
        return
    after = 0
    while found := stories.keyless(connection, after, WINDOW, BATCH, own):
        readings = grouping.read(memory, found)
        stories.insert_keys(
            connection,
            [
                (article.id, reading.keys, article.available_at)
                for article, reading in zip(found, readings, strict=True)
            ],
        )
        after = found[-1].id


def _remember_companies(connection: Connection, memory: GroupingMemory, readings: Sequence[Reading]) -> None:
    """Bring the shingles of companies that this run meets for the first time into the memory."""
    met = {mention.company_id for reading in readings for mention in reading.mentions} - memory.seen.keys()
    if not met:
        return
    for company_id in met:
        memory.seen[company_id] = SeenShingles()
    since: datetime = min(reading.available_at for reading in readings) - max(HORIZONS)
    for row in stories.texts_of_companies(connection, sorted(met), since):
        memory.seen[row.company_id].add(shingles(row.text), row.available_at)
