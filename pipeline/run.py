"""The wiring: where settings, database, HTTP, classifier and receivers meet, and where the clock is asked.

The commands and the DAGs call these functions; each does one step, returns a small dict of counts, and can be run
again at any time. `as_of` is for tests and replays; left out, it is now.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ModelUnavailable, UsageError
from pipeline.settings import Settings, load_settings
from pipeline.store import migrate, models, scores, server
from pipeline.store.engine import create_engine, database_errors

if TYPE_CHECKING:
    from pipeline.score.classifier import StoryClassifier
    from pipeline.store.engine import Connection, Engine

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class Line:
    """What every step needs: the settings and an engine on a database with the right schema."""

    settings: Settings
    engine: Engine


def now() -> datetime:
    """The only clock of the pipeline; everything below is handed the time as `as_of`."""
    return datetime.now(UTC)


def in_utc(at: datetime) -> datetime:
    """A time that somebody gave, in UTC; one without a zone is in UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@contextmanager
def open_line(settings: Settings | None = None) -> Iterator[Line]:
    """The line on the database in force, started if it is the embedded one.

    Raises DatabaseUnavailable, WrongCredentials, SchemaTooOld or SchemaTooNew, each saying what to do.
    """
    settings = settings or load_settings()
    url = server.database_url(settings)
    migrate.check(url)
    engine = create_engine(url)
    try:
        with database_errors(engine):
            yield Line(settings, engine)
    finally:
        engine.dispose()


# ---- ingest


def sync(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Brings the tables in line with feeds.toml and companies.toml."""
    from pipeline.ingest.step import sync_companies, sync_feeds

    as_of = as_of or now()
    return {
        "feeds": sync_feeds(line.engine, line.settings.feeds_file, as_of=as_of),
        "companies": sync_companies(line.engine, line.settings.companies_file, as_of=as_of),
    }


def due_shards(line: Line, *, as_of: datetime | None = None) -> list[list[int]]:
    """Feeds that are due, spread over tasks so that a host is in one task only."""
    from pipeline.ingest.step import due_shards

    as_of = in_utc(as_of) if as_of else now()
    return due_shards(line.engine, as_of=as_of, shards=line.settings.ingest_shards)


def ingest(
    line: Line, feed_ids: Sequence[int] | None = None, *, as_of: datetime | None = None
) -> dict[str, Any]:
    """Fetches, parses, stores and groups: the given feeds, or all that are due."""
    from pipeline.ingest.step import ingest_feeds

    as_of = in_utc(as_of) if as_of else now()
    if feed_ids is None:
        feed_ids = [feed for shard in due_shards(line, as_of=as_of) for feed in shard]
    report = ingest_feeds(line.engine, feed_ids, settings=line.settings, as_of=as_of)
    return report.as_dict()


def import_articles(
    line: Line,
    path: Path,
    *,
    as_of: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Brings an archive in, marked as backfilled."""
    from pipeline.ingest.step import import_articles

    report = import_articles(
        line.engine, path, settings=line.settings, as_of=as_of or now(), progress=progress
    )
    return report.as_dict()


# ---- score


def ensure_champion(line: Line, *, as_of: datetime | None = None) -> models.StoredModel:
    """The champion; on a new database the starter that ships becomes it, after an upgrade it follows the one before."""
    with line.engine.begin() as connection:
        found = models.champion(connection)
        if found is not None and not left_behind(found):
            return found
        from pipeline.starter import crown

        # asked again under the lock: of runs that begin at once, one switches
        models.lock_alias(connection)
        found = models.champion(connection)
        if found is not None and not left_behind(found):
            return found
        return crown(line, connection, found, as_of or now())


def left_behind(stored: models.StoredModel) -> bool:
    """Is it the starter of another Undertow than this one? Versions are immutable, so what ships now is another model."""
    from model.registry import STARTER as shipped
    from model.registry import load_manifest

    return stored.path == STARTER and stored.version != load_manifest(shipped).version


def model_path(line: Line, stored: models.StoredModel) -> Path | None:
    """Directory of a stored model; None is the starter inside the package. Raises ModelUnavailable if it is gone."""
    if left_behind(stored):
        raise ModelUnavailable(
            f"the files of model {stored.version}, the starter of another Undertow, left with the upgrade",
            "bring them back with `undertow models add` on model/starter of that Undertow; as champion, the next"
            " `undertow score` puts the starter that ships now in its place",
        )
    if stored.path == STARTER:
        return None
    path = Path(stored.path)
    path = path if path.is_absolute() else line.settings.home / path
    if not path.is_dir():
        raise ModelUnavailable(
            f"the files of model {stored.version} are not at {path}",
            "bring them back, or go back with `undertow models rollback`",
        )
    return path


def load_classifier(line: Line, stored: models.StoredModel) -> StoryClassifier:
    """The classifier of a stored model, on the device of the settings. Raises ModelUnavailable for another's files."""
    from pipeline.score.classifier import StoryClassifier

    settings = line.settings
    found = StoryClassifier.load(
        model_path(line, stored),
        device=settings.model_device,
        dtype=settings.model_dtype,
        compile=settings.model_compile,
    )
    if found.version != stored.version:
        raise ModelUnavailable(
            f"where model {stored.version} should be ({stored.path}) there is {found.version}",
            "bring its own files back with `undertow models add`, or promote another",
        )
    return found


def score(
    line: Line,
    limit: int | None = None,
    *,
    rescore: str | None = None,
    order: scores.Order | None = None,
    as_of: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Scores what waits: live stories with the champion, or the re-score queue of version `rescore`.

    Where another model becomes champion meanwhile, it goes on with that one.
    """
    from pipeline.score.step import Work, score_waiting

    done = {"scored": 0, "apart": 0, "batches": 0, "recovered": 0}
    left, replaced = limit or line.settings.score_run_stories, True
    while replaced:
        stored = ensure_champion(line, as_of=as_of) if rescore is None else _find(line, rescore)
        rescore_id = None if rescore is None else stored.id
        with line.engine.connect() as connection:
            waiting = scores.any_waiting(connection, rescore_id)
        if not waiting or left <= 0:
            break
        report = score_waiting(
            line.engine,
            load_classifier(line, stored),
            Work(stored.id, rescore_id, order or ("newest" if rescore is None else "oldest")),
            clock=(lambda: as_of) if as_of else now,
            limit=left,
            batch_stories=line.settings.score_batch_stories,
            progress=progress,
        )
        counts = report.as_dict()
        replaced = counts.pop("replaced")
        done = {name: number + counts[name] for name, number in done.items()}
        left -= report.scored + report.apart
    return {**done, "model": stored.version}


def backlog(line: Line, rescore: str | None = None, *, as_of: datetime | None = None) -> tuple[int, float]:
    """Stories waiting, and the age of the oldest in seconds."""
    model_id = None if rescore is None else _find(line, rescore).id
    with line.engine.connect() as connection:
        return scores.backlog(connection, model_id, as_of or now())


def enqueue_rescore(
    line: Line,
    version: str,
    *,
    days: int | None = None,
    since: datetime | None = None,
    as_of: datetime | None = None,
) -> int:
    """Queues the stories of the last `days` (default: UNDERTOW_RESCORE_DAYS), or since then, for a version."""
    if since is None:
        since = (as_of or now()) - timedelta(days=days if days is not None else line.settings.rescore_days)
    with line.engine.begin() as connection:
        return scores.enqueue_rescore(connection, _find(line, version).id, since)


def switch_champion(
    line: Line, connection: Connection, stored: models.StoredModel, *, by: str, reason: str, as_of: datetime
) -> int:
    """Makes a version champion and queues the history for it, both with the caller's transaction, which has the alias locked.

    What history still waits for the champion before is taken off; back again, it is queued again. Returns how many
    stories were queued.
    """
    before = models.champion(connection)
    if before is not None and before.id != stored.id:
        scores.dequeue_rescore(connection, before.id)
    events = models.alias_history(connection)
    # A clock that runs behind, a replay, or two who wait for the lock: the newest switch is the one in force, and this
    # one has to be it.
    if events and events[0].set_at >= as_of:
        as_of = events[0].set_at + timedelta(microseconds=1)
    models.point_alias(connection, stored.version, by=by, reason=reason, as_of=as_of)
    return scores.enqueue_rescore(connection, stored.id, as_of - timedelta(days=line.settings.rescore_days))


def _find(line: Line, version: str) -> models.StoredModel:
    with line.engine.connect() as connection:
        stored = models.find_model(connection, version)
    if stored is None:
        raise UsageError(f"there is no model {version!r}", "`undertow models list` shows them")
    return stored


# ---- detect and notify


def build_windows(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Counts every scored story that was not counted yet, for each model version that read it."""
    from pipeline.detect.step import build_windows

    return build_windows(line.engine, as_of=as_of or now()).as_dict()


def build_baselines(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """What is usual, from the days before today. With an `as_of` given it is that of the champion of then."""
    from pipeline.detect.step import build_baselines

    report = build_baselines(line.engine, _rules(line), as_of=as_of or now(), champion_at=as_of)
    return report.as_dict()


def read_history(
    line: Line,
    limit: int | None = None,
    *,
    version: str | None = None,
    as_of: datetime | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """The champion (or `version`) reads what its switch queued, the newest first and to the end; then baselines are built."""
    version = version or ensure_champion(line, as_of=as_of).version
    most = limit or sys.maxsize  # with a scheduled run's limit the rest would stay in the queue
    report = score(line, most, rescore=version, order="newest", as_of=as_of, progress=progress)
    return {**report, "baselines": build_baselines(line, as_of=as_of)}


def detect(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Counts windows, evaluates every tick since the last one, follows alerts, fills the outbox.

    With an `as_of` given the verdicts of the champion of then count; without one those of the model that scores.
    """
    from pipeline.detect.step import detect

    report = detect(line.engine, _rules(line), as_of=as_of or now(), champion_at=as_of).as_dict()
    return {**report, "explained": explain_alerts(line, as_of=as_of)}


def explain_alerts(line: Line, *, as_of: datetime | None = None) -> int:
    """Finds the words that made the stories of waiting alerts bad news. Never raises: alerts go out without, if need be."""
    from pipeline.notify.explain import try_to_explain

    with line.engine.connect() as connection:
        stored = models.champion(connection)
    if stored is None:
        return 0
    load = lambda: load_classifier(line, stored).words  # noqa: E731
    return try_to_explain(line.engine, stored.id, load, as_of or now())


def notify(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Sends what the outbox holds and is due."""
    from pipeline.notify.step import build_senders, notify

    senders = build_senders(line.settings)
    return notify(line.engine, line.settings, senders, as_of=as_of or now()).as_dict()


def _rules(line: Line) -> Any:
    from pipeline.detect.rules import load_rules

    return load_rules(line.settings.alerts_file)


# ---- nightly


def maintain(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Feed health, partitions, retention; each part is tried although another failed, then the first error is raised."""
    from pipeline.ingest.step import feed_health, prune
    from pipeline.store.partitions import ensure_partitions

    as_of = as_of or now()
    return _try_each(
        {
            "partitions": lambda: ensure_partitions(line.engine, as_of=as_of),
            "pruned": lambda: prune(line.engine, as_of=as_of),
            "feed_health": lambda: feed_health(line.engine, settings=line.settings, as_of=as_of),
        }
    )


def _try_each(parts: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each part returned; the others have been tried when the first error is raised."""
    done: dict[str, Any] = {}
    first: Exception | None = None
    for name, part in parts.items():
        try:
            done[name] = part()
        except Exception as error:  # noqa: BLE001 - one part must not hold back the others; raised at the end
            first = first or error
            first.add_note(f"{name} failed: {error}")
    if first is not None:
        raise first
    return done
