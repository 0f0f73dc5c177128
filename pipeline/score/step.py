"""Scores waiting stories: claim, classify, write, batch after batch, the next claim read while the model works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipeline.score.plan import Failed, Plan, VerdictLike, plan_batch, read_verdicts
from pipeline.store import scores
from pipeline.store.engine import Connection, Engine
from pipeline.store.scores import Claim, Order
from pipeline.types import Apart, Report, StoryScore, WaitingStory

# Model work and database work of one worker overlap: one batch is in the model, the next one is being claimed or the
# last one written. A third would only hold locks longer.
BATCHES_AHEAD = 1


class Classify(Protocol):
    """Verdicts for stories, in their order; a text that breaks the model is a Failed in its place."""

    languages: Sequence[str]

    def __call__(self, stories: Sequence[WaitingStory]) -> Sequence[VerdictLike | Failed]: ...


@dataclass(slots=True)
class ScoreReport(Report):
    """Counts of one run. `already` were scored before under the same text or the same version."""

    scored: int = 0
    apart: int = 0
    batches: int = 0
    recovered: int = 0


@dataclass(slots=True)
class _Held:
    connection: Connection
    batch: Claim
    plan: Plan


@dataclass(frozen=True, slots=True)
class Work:
    """What to score: with which version, from which queue (None: live), in which order."""

    model_version_id: int
    rescore_model_id: int | None = None
    order: Order = "newest"


def score_waiting(
    engine: Engine,
    classify: Classify,
    work: Work,
    *,
    clock: Callable[[], datetime],
    limit: int,
    batch_stories: int,
    progress: Callable[[int], None] = lambda done: None,
) -> ScoreReport:
    """Scores at most `limit` stories; safe to run in any number of workers at once, and to kill at any moment."""
    report = ScoreReport()
    report.recovered = scores.recover_orphans(engine, model_version_id=work.model_version_id, as_of=clock())
    with ThreadPoolExecutor(max_workers=BATCHES_AHEAD, thread_name_prefix="score-db") as database:
        left = limit
        held: _Held | None = None
        following = database.submit(_claim, engine, classify, work, clock(), min(batch_stories, left))
        writing: Future[None] | None = None
        try:
            while (held := following.result()) is not None:
                left -= len(held.batch.stories)
                following = database.submit(_claim, engine, classify, work, clock(), min(batch_stories, left))
                scored, apart = read_verdicts(held.plan, classify(held.plan.to_classify))
                if writing is not None:
                    writing.result()
                writing = database.submit(_write, held, work, scored, apart, clock(), progress)
                report.scored += len(scored)
                report.apart += len(apart)
                report.batches += 1
            if writing is not None:
                writing.result()
        except BaseException:
            # closing gives the claims back at once
            _drop(held)
            _drop(following.result())
            raise
    return report


def _claim(engine: Engine, classify: Classify, work: Work, as_of: datetime, limit: int) -> _Held | None:
    if limit <= 0:
        return None
    connection = engine.connect()
    try:
        batch = scores.claim(
            engine,
            connection,
            rescore_model_id=work.rescore_model_id,
            limit=limit,
            as_of=as_of,
            order=work.order,
        )
        if batch is None:
            connection.close()
            return None
        hashes = [story.text_hash for story in batch.stories]
        known = scores.known_texts(connection, work.model_version_id, hashes)
        return _Held(connection, batch, plan_batch(batch.stories, classify.languages, known))
    except BaseException:
        connection.close()
        raise


def _write(
    held: _Held,
    work: Work,
    scored: list[StoryScore],
    apart: list[Apart],
    as_of: datetime,
    progress: Callable[[int], None],
) -> None:
    with held.connection:
        scores.finish(
            held.connection,
            held.batch,
            model_version_id=work.model_version_id,
            rescore_model_id=work.rescore_model_id,
            scored=scored,
            apart=apart,
            as_of=as_of,
        )
        held.connection.commit()
    progress(len(held.batch.stories))


def _drop(held: _Held | None) -> None:
    if held is not None:
        held.connection.close()
