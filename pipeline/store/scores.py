"""The score queue, and what the classifier said. A claim is a set of row locks inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from pipeline.store.engine import sql
from pipeline.types import Apart, KnownScore, Probabilities, StoryMention, StoryScore, WaitingStory

# Batches with a story in them that may die with their worker before the story is scored alone, and before it is set
# apart. Two: one death is usually the machine's (a restart, a kill), not the text's. Changing them needs no migration.
DEATHS_UNTIL_ALONE = 2
DEATHS_UNTIL_APART = 4

Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Stories that this transaction holds, taken from the live queue or (`queue_model_id`) from a re-score.

    `alone`: one story that was there when workers died.
    """

    stories: tuple[WaitingStory, ...]
    queue_model_id: int | None
    alone: bool = False


@dataclass(slots=True)
class Place:
    """Where one worker has come to in a queue, so that it need not walk again over what is done.

    Rows just scored lie dead at the index's end until a vacuum, and none can clean them while a long query or a
    backup runs: without it, claims slow down with every story scored meanwhile.
    """

    newest: datetime | None = None
    oldest: datetime | None = None

    def ranges(self, order: Order) -> list[tuple[datetime | str, datetime | str]]:
        """Closed ranges of available_at to look in, first to last; what is new comes before what is left."""
        if self.newest is None or self.oldest is None:
            return [EVERYWHERE]
        if order == "oldest":
            return [(self.newest, "infinity")]
        return [(self.newest, "infinity"), ("-infinity", self.oldest)]

    def add(self, times: Sequence[datetime]) -> None:
        """Times of stories claimed."""
        self.newest = max([*times, self.newest] if self.newest else times)
        self.oldest = min([*times, self.oldest] if self.oldest else times)


EVERYWHERE: tuple[datetime | str, datetime | str] = ("-infinity", "infinity")


def claim(
    connection: Connection,
    *,
    queue_model_id: int | None,
    limit: int,
    order: Order,
    place: Place | None = None,
) -> Claim | None:
    """Locks up to `limit` waiting stories for the transaction of `connection`; None when nothing is free.

    `queue_model_id` None takes live stories. Stories that died with two batches come alone, after all others.
    `place` is where this worker's claims of the same queue and order have come to, and is moved on; where nothing is
    left to do, the whole queue is searched once more for what others gave back.
    """
    place = place or Place()
    found = _lock_from(connection, queue_model_id, limit, order, place)
    alone = not found
    if alone:
        rows = _lock(
            connection, queue_model_id, 1, order, EVERYWHERE, (DEATHS_UNTIL_ALONE, DEATHS_UNTIL_APART)
        )
        found = [story_id for story_id, _ in rows]
    return Claim(tuple(read_waiting(connection, found)), queue_model_id, alone) if found else None


def _lock_from(
    connection: Connection, model_id: int | None, limit: int, order: Order, place: Place
) -> list[int]:
    found: dict[int, datetime] = {}
    for part in place.ranges(order):
        if len(found) < limit:
            found |= _lock(connection, model_id, limit - len(found), order, part, (0, DEATHS_UNTIL_ALONE))
    if not found:
        found = dict(_lock(connection, model_id, limit, order, EVERYWHERE, (0, DEATHS_UNTIL_ALONE)))
    if found:
        place.add(list(found.values()))
    return list(found)


def _lock(
    connection: Connection,
    model_id: int | None,
    limit: int,
    order: Order,
    part: tuple[datetime | str, datetime | str],
    deaths: tuple[int, int],
) -> list[tuple[int, datetime]]:
    parameters = {
        "queue_model_id": model_id,
        "limit": limit,
        "min_attempts": deaths[0],
        "max_attempts": deaths[1],
    }
    statement = sql("scores_claim" if order == "newest" else "scores_claim_oldest")
    rows = connection.execute(statement, {**parameters, "from_at": part[0], "until_at": part[1]})
    return [(row.story_id, row.available_at) for row in rows]


def note_start(engine: Engine, connection: Connection, batch: Claim, as_of: datetime) -> int:
    """Remembers, in a transaction of its own, that the model gets this batch now; returns the id for `finish`.

    The claim itself vanishes with its worker; this row stays and tells which stories were there when it died.
    """
    ids = [story.story_id for story in batch.stories]
    with engine.begin() as own:
        # lost only with a crash of the server, where the worker loses its claim and goes on from a clean state
        own.execute(sa.text("set local synchronous_commit = off"))
        batch_id = own.execute(
            sa.text(
                "insert into score_batches (story_ids, queue_model_id, started_at) values (:ids, :queue, :at) returning id"
            ),
            {"ids": ids, "queue": batch.queue_model_id, "at": as_of},
        ).scalar_one()
        # taken before the row becomes visible, so that nobody can mistake it for an orphan
        connection.execute(sa.text("select pg_advisory_xact_lock(:id)"), {"id": batch_id})
    return int(batch_id)


def forget_start(engine: Engine, batch_id: int) -> None:
    """What ended the work on a batch was not its stories: no death shall be counted.

    As well as it can: where the database is away the note stays, and one death too many is counted.
    """
    with suppress(SQLAlchemyError), engine.begin() as connection:
        connection.execute(sa.text("delete from score_batches where id = :id"), {"id": batch_id})


def read_waiting(connection: Connection, story_ids: Sequence[int]) -> Iterable[WaitingStory]:
    """The stories with their texts and mentions, in the order given."""
    for row in connection.execute(sql("scores_waiting"), {"story_ids": list(story_ids)}):
        mentions = tuple(
            StoryMention(item["id"], item["name"], tuple((start, end) for start, end in item["spans"]))
            for item in row.mentions
        )
        yield WaitingStory(
            row.story_id, row.text, bytes(row.text_hash), row.language, row.available_at, mentions
        )


def finish(
    connection: Connection,
    batch: Claim,
    batch_id: int,
    *,
    model_version_id: int,
    scored: Sequence[StoryScore],
    apart: Sequence[Apart],
    as_of: datetime,
    take_off: bool = True,
) -> int:
    """Writes a claimed batch, takes it off the queue; commits with the caller. Returns the scores that were new.

    Without `take_off` its stories go on waiting, for another model.
    """
    hashes = {story.story_id: story.text_hash for story in batch.stories}
    written = write_scores(connection, model_version_id, scored, hashes, as_of) if scored else 0
    if apart:
        set_apart(connection, model_version_id, apart, as_of)
    connection.execute(
        sql("scores_take_off"),
        {
            "queue_model_id": batch.queue_model_id,
            "ids": list(hashes) if take_off else [],
            "batch_id": batch_id,
        },
    )
    return written


def write_scores(
    connection: Connection,
    model_version_id: int,
    scored: Sequence[StoryScore],
    text_hashes: dict[int, bytes],
    as_of: datetime,
) -> int:
    """One statement for all of them; returns how many were new (the same story and version twice is not)."""
    rows = [
        {
            "story_id": score.story_id,
            "text_hash": text_hashes[score.story_id].hex(),
            **_probabilities(score.sentiment),
            "companies": [{"company_id": key, **_probabilities(p)} for key, p in score.companies.items()],
            "topics": score.topics,
        }
        for score in scored
    ]
    parameters = {"rows": json.dumps(rows), "model_version_id": model_version_id, "scored_at": as_of}
    return int(connection.execute(sql("scores_write"), parameters).scalar_one())


def set_apart(connection: Connection, model_version_id: int, apart: Sequence[Apart], as_of: datetime) -> None:
    """Notes stories that are not scored, with the reason."""
    rows = [{"story_id": a.story_id, "reason": a.reason, "detail": a.detail[:500]} for a in apart]
    connection.execute(
        sql("scores_set_apart"),
        {"rows": json.dumps(rows), "model_version_id": model_version_id, "decided_at": as_of},
    )


def known_texts(
    connection: Connection, model_version_id: int, hashes: Sequence[bytes]
) -> dict[bytes, KnownScore]:
    """Scores of identical texts by this version."""
    rows = connection.execute(
        sql("scores_known_texts"), {"text_hashes": list(hashes), "model_version_id": model_version_id}
    )
    return {
        bytes(row.text_hash): KnownScore(
            Probabilities(row.negative, row.neutral, row.positive),
            {int(key): Probabilities(*values) for key, values in row.companies.items()},
            dict(row.topics),
        )
        for row in rows
    }


def recover_orphans(engine: Engine, *, champion_id: int | None, as_of: datetime) -> int:
    """Counts the deaths of batches whose worker is gone; sets apart the story that keeps killing. Returns batches.

    A killer of the live queue is set apart for the champion. A run of another version does not know it (`champion_id`
    None) and leaves that story where it is: nobody claims it, and the next live run sets it apart.
    """
    with engine.begin() as connection:
        orphans = connection.execute(sql("scores_orphans")).all()
        for orphan in orphans:
            connection.execute(
                sql("scores_count_death"),
                {"ids": orphan.story_ids, "queue_model_id": orphan.queue_model_id},
            )
            connection.execute(sa.text("delete from score_batches where id = :id"), {"id": orphan.id})
        killers = {"deaths": DEATHS_UNTIL_APART, "champion_id": champion_id}
        for row in connection.execute(sql("scores_take_killers"), killers).all():
            killer = Apart(row.story_id, "failure", f"the scorer died {row.attempts} times on it")
            set_apart(connection, row.model_version_id, [killer], as_of)
    return len(orphans)


def enqueue_rescore(connection: Connection, model_version_id: int, since: datetime) -> int:
    """Queues every story since then that the version has not dealt with. Returns how many."""
    return connection.execute(
        sql("scores_enqueue"), {"model_version_id": model_version_id, "since": since}
    ).rowcount


def dequeue_rescore(connection: Connection, model_version_id: int) -> None:
    """Takes off what waits for a version, as nothing will come of it; a batch that is under way is still read."""
    connection.execute(sql("scores_dequeue"), {"model_version_id": model_version_id})


def any_waiting(connection: Connection, rescore_model_id: int | None) -> bool:
    """True while there is work for a scorer; costs the same for ten stories and ten million."""
    found = connection.execute(sql("scores_any_waiting"), {"queue_model_id": rescore_model_id}).scalar_one()
    return bool(found)


def backlog(connection: Connection, rescore_model_id: int | None, as_of: datetime) -> tuple[int, float]:
    """Waiting stories, and the age of the oldest in seconds."""
    row = connection.execute(
        sql("scores_backlog"), {"queue_model_id": rescore_model_id, "as_of": as_of}
    ).one()
    return int(row.stories), float(row.oldest_s or 0.0)


def _probabilities(p: Probabilities) -> dict[str, Any]:
    # float4 columns: rounding keeps the JSON short and stays inside [0, 1]
    return {
        "negative": round(p.negative, 6),
        "neutral": round(p.neutral, 6),
        "positive": round(p.positive, 6),
        "sentiment": p.label,
    }
