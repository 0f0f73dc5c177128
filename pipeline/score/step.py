"""Scores waiting stories: claim, classify, write, batch after batch, the next claim read while the model works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from model.errors import DeviceFailed
from pipeline.score.plan import Failed, Plan, VerdictLike, plan_batch, read_verdicts
from pipeline.store import models, scores
from pipeline.store.engine import Connection, Engine, is_outage
from pipeline.store.scores import Claim, Order, Place
from pipeline.types import Apart, Report, StoryScore, WaitingStory


class Classify(Protocol):
    """Verdicts for stories, in their order; a text that breaks the model is a Failed in its place.

    Raises model.errors.DeviceFailed where the device would fail on any text.
    """

    languages: Sequence[str]

    def __call__(self, stories: Sequence[WaitingStory]) -> Sequence[VerdictLike | Failed]: ...


@dataclass(slots=True)
class ScoreReport(Report):
    """Counts of one run. `apart` stories have no score and a reason; `recovered` batches had lost their worker.

    `replaced`: another model became champion meanwhile, and the run ended; what waits is for that one.
    """

    scored: int = 0
    apart: int = 0
    batches: int = 0
    recovered: int = 0
    replaced: bool = False


@dataclass(slots=True)
class _Held:
    """A claim with the connection whose transaction holds it; `batch_id` from when the model gets it."""

    connection: Connection
    claim: Claim
    plan: Plan
    batch_id: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What to score: with which version, from which queue (None: live), in which order."""

    model_version_id: int
    rescore_model_id: int | None = None
    order: Order = "newest"

    @property
    def champion_id(self) -> int | None:
        """The champion, which alone scores from the live queue; None in a re-score."""
        return self.model_version_id if self.rescore_model_id is None else None


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
    recovered = scores.recover_orphans(engine, champion_id=work.champion_id, as_of=clock())
    with _Worker(engine, classify, work, clock, batch_stories, progress) as worker:
        worker.report.recovered = recovered
        worker.run(limit)
    return worker.report


class _Worker:
    """One model and one thread for the database, which claims a batch ahead and writes one behind."""

    def __init__(
        self,
        engine: Engine,
        classify: Classify,
        work: Work,
        clock: Callable[[], datetime],
        batch_stories: int,
        progress: Callable[[int], None],
    ) -> None:
        self.report = ScoreReport()
        self._engine, self._classify, self._work, self._clock = engine, classify, work, clock
        self._batch_stories, self._progress = batch_stories, progress
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="score-db")
        self._place = Place()
        self._held: _Held | None = None
        self._ahead: Future[_Held | None] | None = None
        self._writing: Future[None] | None = None

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, *__: object) -> None:
        self._database.shutdown(wait=True)
        if error is not None:
            self._give_back(error)

    def run(self, limit: int) -> None:
        """Batch after batch until `limit` stories are claimed or nothing is free."""
        self._claim_ahead(limit)
        while self._ahead is not None and (held := self._ahead.result()) is not None:
            self._held, self._ahead = held, None
            limit -= len(held.claim.stories)
            if held.claim.alone:
                # it may kill this process: no other story shall be under way then, or it would share the blame
                self._finish_writing()
                self._score(held)
                self._finish_writing()
                self._claim_ahead(limit)
            else:
                self._claim_ahead(limit)
                self._score(held)
        self._finish_writing()

    def _claim_ahead(self, limit: int) -> None:
        if limit > 0:
            self._ahead = self._database.submit(self._claim, min(limit, self._batch_stories))

    def _finish_writing(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _score(self, held: _Held) -> None:
        held.batch_id = scores.note_start(self._engine, held.connection, held.claim, self._clock())
        scored, apart = read_verdicts(held.plan, self._classify(held.plan.to_classify))
        self._finish_writing()
        self._writing = self._database.submit(self._write, held, held.batch_id, scored, apart)
        self._held = None
        self.report.scored += len(scored)
        self.report.apart += len(apart)
        self.report.batches += 1

    def _claim(self, limit: int) -> _Held | None:
        connection, work = self._engine.connect(), self._work
        try:
            batch = (
                None
                if self._is_replaced(connection)
                else scores.claim(
                    connection,
                    queue_model_id=work.rescore_model_id,
                    limit=limit,
                    order=work.order,
                    place=self._place,
                )
            )
            if batch is None:
                connection.close()
                return None
            hashes = [story.text_hash for story in batch.stories]
            known = scores.known_texts(connection, work.model_version_id, hashes)
            return _Held(connection, batch, plan_batch(batch.stories, self._classify.languages, known))
        except BaseException:
            connection.close()
            raise

    def _write(self, held: _Held, batch_id: int, scored: list[StoryScore], apart: list[Apart]) -> None:
        try:
            self._write_all(held, batch_id, scored, apart)
        except Exception as error:
            self._forget_if_blameless(batch_id, error)
            raise

    def _write_all(self, held: _Held, batch_id: int, scored: list[StoryScore], apart: list[Apart]) -> None:
        with held.connection as connection:
            # A switch queues what it finds for the new champion. So it waits for this transaction, or this one sees it
            # and leaves its stories waiting: between the two, verdicts of the old one would be all that they ever get.
            if self._work.champion_id is not None:
                models.hold_alias(connection)
            replaced = self._is_replaced(connection)
            scores.finish(
                connection,
                held.claim,
                batch_id,
                model_version_id=self._work.model_version_id,
                scored=scored,
                apart=apart,
                as_of=self._clock(),
                take_off=not replaced,
            )
            connection.commit()
        self._progress(0 if replaced else len(held.claim.stories))

    def _is_replaced(self, connection: Connection) -> bool:
        champion_id = self._work.champion_id
        if champion_id is not None and models.is_replaced(connection, champion_id):
            self.report.replaced = True
        return self.report.replaced

    def _give_back(self, error: BaseException) -> None:
        """Ends the claims at once; a failure that may be a story's leaves its note for `recover_orphans` to count."""
        held, self._held = self._held, None
        if held is not None:
            held.connection.close()
            if held.batch_id is not None:
                self._forget_if_blameless(held.batch_id, error)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.exception() is None and (claimed := ahead.result()) is not None:
            claimed.connection.close()

    def _forget_if_blameless(self, batch_id: int, error: BaseException) -> None:
        """A stop, a device and a database that fail would have met any other story as well."""
        if isinstance(error, KeyboardInterrupt | SystemExit | DeviceFailed) or is_outage(error):
            scores.forget_start(self._engine, batch_id)
