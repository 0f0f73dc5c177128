"""The second half of the ingest step: articles without a story get theirs, with mentions and novelty."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.ingest import grouping
from pipeline.ingest.grouping import GroupingMemory, Placement, Reading
from pipeline.ingest.mentions import WatchList
from pipeline.ingest.novelty import HORIZONS, SeenShingles
from pipeline.ingest.stories import shingles
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
    if not waiting:
        return 0
    readings = [
        grouping.read(memory, a.id, a.source, a.title, a.summary, a.body, a.url_key, a.available_at)
        for a in waiting
    ]
    keys = [stories.Keys(reading.bands, reading.url_key, reading.available_at) for reading in readings]
    stored = [
        [grouping.candidate(memory, c.story_id, c.road, c.title, c.text, c.available_at) for c in found]
        for found in stories.candidates(connection, keys)
    ]
    placements = grouping.place(readings, stored)
    _remember_companies(connection, memory, readings)
    _write(connection, memory, waiting, readings, placements)
    begun = sum(placement.road == "first" for placement in placements)
    grouped.stories += begun
    grouped.copies += len(placements) - begun
    grouped.mentions += sum(len(reading.mentions) for reading in readings)
    return len(waiting)


def _write(
    connection: Connection,
    memory: GroupingMemory,
    waiting: Sequence[stories.Waiting],
    readings: Sequence[Reading],
    placements: Sequence[Placement],
) -> None:
    beginners = [n for n, placement in enumerate(placements) if placement.road == "first"]
    ids = dict(zip(beginners, stories.next_ids(connection, len(beginners)), strict=True))
    stories.insert_stories(
        connection,
        [
            stories.NewStory(ids[n], waiting[n], readings[n].text, readings[n].text_hash, readings[n].bands)
            for n in beginners
        ],
    )
    joined = [
        (reading.article_id, _story_id(placement, ids), placement.road)
        for reading, placement in zip(readings, placements, strict=True)
    ]
    stories.join_articles(connection, joined)
    stories.insert_mentions(connection, [(r.article_id, mention) for r in readings for mention in r.mentions])
    found = [
        (ids[n], company, shares)
        for n in beginners
        for company, shares in grouping.novelties(memory, readings[n])
    ]
    stories.insert_novelties(connection, found)


def _story_id(placement: Placement, ids: dict[int, int]) -> int:
    if placement.story_id is not None:
        return placement.story_id
    assert placement.begun_by is not None
    return ids[placement.begun_by]


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
