"""Whether claims from the score queue slow down as it grows: ten thousand waiting stories against ten million.

    .venv/bin/python bench/score_queue.py --stories 10000 10000000

For each size a database on a PostgreSQL of its own (default settings of the embedded server) is filled, then batches are claimed
and written newest first, as a scorer does but with ready-made verdicts. Printed: milliseconds per claim (lock and read
the texts) and per write, at the start, after --batches, and after as many again while another session holds an old
snapshot open, so that no dead row can be cleaned away. The home is removed at the end (10 million: 5 GB, 5 minutes).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.store import migrate, models, scores  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402
from pipeline.types import Probabilities, StoryScore  # noqa: E402

T = TypeVar("T")
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PROBABILITIES = Probabilities(0.1, 0.8, 0.1)
# The search column and these indexes play no part in scoring and would take most of the filling.
UNUSED = (
    "alter table stories alter column search drop expression",
    "drop index stories_search",
    "drop index stories_available",
    "drop index stories_text_hash",
    "alter table stories disable trigger stories_enqueue",
)
FILL_STORIES = """
insert into stories (title, text, text_hash, language, first_seen_at, available_at, last_seen_at)
select '', 'Company ' || n || ' reports a quarterly loss and lowers its outlook', decode(md5(n::text), 'hex'), 'en', at, at, at
from generate_series(1, :number) n, lateral (select :now - n * interval '1 second' as at)
"""
FILL_QUEUE = "insert into score_queue (story_id, available_at) select id, available_at from stories"


def main() -> None:
    options = read_options()
    home = Path(tempfile.mkdtemp(prefix="score-queue-", dir=options.home))
    server = Server(home).start()
    try:
        for stories in options.stories:
            measure(server, stories, options)
    finally:
        server.stop()
        shutil.rmtree(home)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, nargs="+", default=[10_000, 10_000_000])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument(
        "--home", type=Path, help="where the server's folder is made (default: the temp folder)"
    )
    return parser.parse_args()


def measure(server: Server, stories: int, options: argparse.Namespace) -> None:
    name = f"queue_{stories}"
    server.ensure_database(name)
    migrate.upgrade(server.url(name))
    engine = create_engine(server.url(name))
    took = fill(engine, stories)
    with engine.begin() as connection:
        model = models.register_model(connection, version="v1", path="starter", manifest={}, as_of=NOW).id
    print(f"\n{stories:,} waiting stories (filled in {took:.0f} s), batches of {options.batch}", flush=True)
    batches = min(options.batches, stories // options.batch // 3)
    report("claimed and given back", [give_back(engine, options.batch) for _ in range(50)])
    report(f"claimed and written, {batches} batches", drain(engine, model, options.batch, batches))
    with engine.connect() as old:
        old.execution_options(isolation_level="REPEATABLE READ").execute(
            sa.text("select count(*) from stories where id < 2")
        )
        report("the same under an old snapshot", drain(engine, model, options.batch, batches))
    engine.dispose()
    server.drop_database(name)


def fill(engine: sa.Engine, stories: int) -> float:
    """Seconds taken. In steps, each a transaction, as a backlog would gather."""
    start = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(sa.text("set local synchronous_commit = off"))
        for statement in UNUSED:
            connection.execute(sa.text(statement))
        connection.execute(sa.text(FILL_STORIES), {"number": stories, "now": NOW})
        connection.execute(sa.text(FILL_QUEUE))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze score_queue"))
        connection.execute(sa.text("vacuum analyze stories"))
        connection.execute(sa.text("checkpoint"))
    return time.perf_counter() - start


def claim(connection: sa.Connection, batch: int, place: scores.Place | None = None) -> scores.Claim:
    found = scores.claim(connection, queue_model_id=None, limit=batch, order="newest", place=place)
    assert found is not None
    assert len(found.stories) == batch
    return found


def give_back(engine: sa.Engine, batch: int) -> tuple[float, float]:
    with engine.connect() as connection:
        took, _ = timed(lambda: claim(connection, batch))
    return took, 0.0


def drain(engine: sa.Engine, model: int, batch: int, batches: int) -> list[tuple[float, float]]:
    """(claim, write) milliseconds of each batch."""
    place = scores.Place()
    return [score_batch(engine, model, batch, place) for _ in range(batches)]


def score_batch(engine: sa.Engine, model: int, batch: int, place: scores.Place) -> tuple[float, float]:
    with engine.connect() as connection:
        claiming, held = timed(lambda: claim(connection, batch, place))
        batch_id = scores.note_start(engine, connection, held, NOW)
        verdicts = [StoryScore(s.story_id, PROBABILITIES, {}, {"earnings": 0.9}) for s in held.stories]

        def write() -> None:
            scores.finish(
                connection, held, batch_id, model_version_id=model, scored=verdicts, apart=[], as_of=NOW
            )
            connection.commit()

        return claiming, timed(write)[0]


def timed(run: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = run()
    return (time.perf_counter() - start) * 1000, result


def report(what: str, times: list[tuple[float, float]]) -> None:
    claims, writes = np.array(times).T
    last = claims[-max(1, len(claims) // 10) :]
    print(
        f"  {what:<44} claim p50 {np.median(claims):6.2f} p95 {np.percentile(claims, 95):6.2f} ms,"
        f" last tenth p50 {np.median(last):6.2f} ms; write p50 {np.median(writes):6.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
