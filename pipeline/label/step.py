"""Labels in from files, and the queue filled: effects in order, decisions elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.label.agreement import Vote, agree_pairwise, by_thing, find_disputes, krippendorff_alpha
from pipeline.label.formats import read_labels
from pipeline.label.queue import AGAIN, Candidate, choose, share_out, uncertainty
from pipeline.label.records import FileLabel, Mistake, said_at
from pipeline.label.suspects import find_suspects
from pipeline.store import labels as store
from pipeline.store.engine import Connection, Engine
from pipeline.types import Report
from pipeline.values import Reason

# Labels written in one transaction.
BATCH = 2_000
# Mistakes that a report names; all are counted.
NAMED_MISTAKES = 10


@dataclass(slots=True)
class ImportReport(Report):
    """Labels by what became of them; `refused` are rows that could not be stored, the first few in `mistakes`."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    outdated: int = 0
    refused: int = 0
    mistakes: list[str] = field(default_factory=list)

    def refuse(self, row: int, why: str) -> None:
        self.refused += 1
        if len(self.mistakes) < NAMED_MISTAKES:
            self.mistakes.append(f"row {row}: {why}")

    def add(self, written: store.Written) -> None:
        for name, count in asdict(written).items():
            setattr(self, name, getattr(self, name) + count)


def import_labels(
    engine: Engine, path: Path, *, by: str, kind: str | None = None, origin: str = "file", as_of: datetime
) -> ImportReport:
    """Stores every label of a file; a row that is none, or whose article or company is not known, is named.

    `by` and `as_of` stand for who and when where the file does not say. Raises InputFileError.
    """
    report = ImportReport()
    waiting: list[FileLabel] = []
    for item in read_labels(path, kind):
        if isinstance(item, Mistake):
            report.refuse(item.row, item.what)
            continue
        waiting.append(item)
        if len(waiting) >= BATCH:
            _store(engine, waiting, report, by, origin, as_of)
            waiting = []
    _store(engine, waiting, report, by, origin, as_of)
    return report


def store_labels(
    engine: Engine, labels: Sequence[FileLabel], *, by: str, origin: str, as_of: datetime
) -> ImportReport:
    """Stores labels that were read already, in one transaction."""
    report = ImportReport()
    _store(engine, labels, report, by, origin, as_of)
    return report


def _store(
    engine: Engine, found: Sequence[FileLabel], report: ImportReport, by: str, origin: str, as_of: datetime
) -> None:
    if not found:
        return
    with engine.begin() as connection:
        articles = store.resolve_articles(connection, [label.article for label in found])
        companies = store.company_names(connection)
        ready = []
        for label, article in zip(found, articles, strict=True):
            company = companies.get(label.company.casefold()) if label.company else None
            if isinstance(article, str):
                report.refuse(label.row, article)
            elif label.company and company is None:
                report.refuse(label.row, f"company {label.company!r} is not on the watch list")
            elif (said := said_at(label, as_of)) is None:
                report.refuse(
                    label.row,
                    f"labelled_at {label.labelled_at:%Y-%m-%d %H:%M} UTC lies in the future (read as UTC where it has no zone)",
                )
            else:
                ready.append(_new_label(label, article, company, by, origin, said))
        report.add(store.write_labels(connection, ready, as_of))


def _new_label(
    label: FileLabel, article_id: int, company_id: int | None, by: str, origin: str, said_at: datetime
) -> store.NewLabel:
    return store.NewLabel(
        article_id=article_id,
        target=label.target,
        labelled_by=label.labelled_by or by,
        labelled_at=said_at,
        origin=origin,
        company_id=company_id,
        sentiment=label.sentiment,
        topics=label.topics,
        schema_version=label.schema_version,
        queue_reason=label.queue_reason,
        confidence=label.confidence,
        note=label.note,
    )


# ---- the queue


def fill_queue(
    engine: Engine,
    *,
    model_version_id: int,
    mix: Mapping[Reason, float],
    size: int,
    days: int,
    as_of: datetime,
) -> dict[str, int]:
    """Fills the queue from the stories of the last `days`; returns what was added by reason.

    Afterwards `size` open places are such that anybody is shown them, where there are stories enough. Besides wait what
    one person skipped, for as many days, and what is asked again: of each such reason at most its share of `size`.
    """
    since = as_of - timedelta(days=days)
    with engine.begin() as connection:
        store.settle(connection, since, as_of)
        missing = max(0, size - store.count_unanswered(connection))
        places, waiting = share_out(mix, size), store.open_places(connection)
        beside = {reason: max(0, places.get(reason, 0) - waiting.get(reason, 0)) for reason in AGAIN}
        if not missing and not any(beside.values()):
            return {}
        candidates = store.queue_candidates(connection, model_version_id, since, as_of) if missing else []
        stories = {candidate.story_id: candidate for candidate in candidates}
        stories |= {again.story_id: again for again in _again(connection, model_version_id, stories)}
        chosen = choose(stories.values(), mix, missing, beside)
        store.enqueue(connection, chosen, since, as_of)
    return {reason: sum(item.reason == reason for item in chosen) for reason in {i.reason for i in chosen}}


def _again(connection: Connection, model_version_id: int, known: Mapping[int, Candidate]) -> list[Candidate]:
    """Labelled stories worth another look: without a majority, or whose label the champion finds implausible."""
    scored = store.read_scored_labels(connection, model_version_id)
    votes = store.read_votes(connection, shared=True)["story"]
    disputed = {thing[0] for thing in find_disputes(votes) if isinstance(thing, tuple)}
    suspects = find_suspects([row[2] for row in scored], [row[3] for row in scored])
    kept, waiting = store.frozen_stories(connection), store.open_articles(connection)
    found = []
    for (article_id, story_id, _, probabilities), suspect in zip(scored, suspects, strict=True):
        if story_id in kept or article_id in waiting or not (article_id in disputed or suspect):
            continue
        # a story outside the period, or drawn before, is not for the random draw
        plain = known.get(story_id) or Candidate(
            article_id, story_id, uncertainty(probabilities), point=1.0, asked=True
        )
        found.append(replace(plain, article_id=article_id, disputed=article_id in disputed, suspect=suspect))
    return found


# ---- agreement


def agreement(connection: Connection) -> dict[str, Any]:
    """For each target: how many labellers and shared labels, Krippendorff's alpha, Cohen's kappa of pairs, disputes."""
    return {
        target: _agreement(votes)
        for target, votes in store.read_votes(connection, shared=True).items()
        if votes
    }


def _agreement(votes: Sequence[Vote]) -> dict[str, Any]:
    things = by_thing(votes)
    return {
        "labellers": len({vote.labeller for vote in votes}),
        "shared": len(things),
        "alpha": krippendorff_alpha([list(of_thing.values()) for of_thing in things.values()]),
        "disputed": [thing[0] for thing in find_disputes(votes) if isinstance(thing, tuple)],
        "pairs": [asdict(pair) for pair in agree_pairwise(votes)],
    }
