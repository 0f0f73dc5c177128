"""SIGKILL at random points of many runs: nothing lost, nothing doubled, the conservation law holds.

    .venv/bin/python bench/ingest_kill.py [--kills 50]

Twelve feeds of 60 items on loopback, every document changed before every run and a tenth of the items edited at
every fifth. Each run is a process that is killed at a random moment of the time that the last whole run took; those
that end first are not counted. At the end one run is left to finish, and the tables are counted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/integration")]

from ingest_server import FeedServer, feed_server, item, rss  # noqa: E402

from pipeline.store import feeds, migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

FEEDS, ITEMS = 12, 60
# No whole run has been timed yet, seconds.
FIRST_RUN_S = 1.0
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = """
import sys
from datetime import UTC, datetime
from pipeline.ingest import step
from pipeline.settings import Settings
from pipeline.store.engine import create_engine
settings = Settings(fetch_allow_private=("127.0.0.0/8",), _env_file=None)
print("started", flush=True)
step.ingest_feeds(create_engine(sys.argv[1]), [int(n) for n in sys.argv[2:]], settings=settings, as_of=datetime.now(UTC))
"""
CHECKS = {
    "articles lost or doubled": "select count(*) - :items from articles",
    "guids doubled": "select count(*) - count(distinct (feed_id, guid)) from articles",
    "articles without a story": "select count(*) from articles where story_id is null",
    "polls against the conservation law": "select count(*) from feed_fetches where seen <> new + revised + unchanged + duplicate + rejected",
    "new in polls minus articles": "select (select sum(new) from feed_fetches) - (select count(*) from articles)",
    "revised in polls minus revisions": "select (select sum(revised) from feed_fetches) - (select count(*) from article_revisions where revision > 1)",
    "stories whose count is wrong": "select count(*) from stories s where copies <> (select count(*) from articles a where a.story_id = s.id)",
    "stories not queued": "select count(*) from stories s where not exists (select from score_queue q where q.story_id = s.id)",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as home, feed_server() as wire:
        server = Server(Path(home) / "postgres").start()
        try:
            sys.exit(run(server, wire, kills))
        finally:
            server.stop()


def run(server: Server, wire: FeedServer, kills: int) -> int:
    server.ensure_database("bench")
    migrate.upgrade(server.url("bench"))
    engine, rng = create_engine(server.url("bench")), random.Random(23)
    with engine.begin() as connection:
        ids = [
            feeds.save_feed(
                connection,
                {"name": f"f{n}", "url": wire.url(f"/{n}", f"127.3.0.{n + 1}")},
                NOW,
                origin="desk",
            )
            for n in range(FEEDS)
        ]
    command = [sys.executable, "-c", RUN, server.url("bench"), *map(str, ids)]
    killed = ended = 0
    whole_s = FIRST_RUN_S
    with tqdm(total=kills, unit="kill", disable=None) as bar:
        while killed < kills:
            _publish(wire, killed + ended)
            took_s = _run_and_kill(command, rng.uniform(0.0, whole_s))
            if took_s is None:
                killed += 1
                bar.update()
            else:
                ended += 1
                whole_s = took_s
    _run_and_kill(command, None)
    time.sleep(1)
    with engine.connect() as connection:
        found = {
            name: connection.execute(
                sa.text(check), {"items": FEEDS * ITEMS} if ":items" in check else {}
            ).scalar()
            for name, check in CHECKS.items()
        }
    print(f"{killed} runs killed, {ended} ended before their kill")
    print("\n".join(f"{name}: {value}" for name, value in found.items()))
    return any(found.values())


def _publish(wire: FeedServer, run_: int) -> None:
    """Every document changes before every run, a tenth of the items with it."""
    for n in range(FEEDS):
        wire.replies[f"/{n}"] = (
            200,
            {},
            rss(*[_item(n, k, run_) for k in range(ITEMS)], head=f"<!-- {run_} -->"),
        )


def _run_and_kill(command: list[str], after_s: float | None) -> float | None:
    """Seconds that the run took, counted from when its imports were done; None if it was killed. `after_s` None lets it end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    process.stdout.readline()
    started = time.monotonic()
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return None
    return time.monotonic() - started


def _item(feed: int, n: int, run_: int) -> str:
    edits = run_ // 5 if n % 10 == 0 else 0
    return item(
        f"{feed}-{n}",
        f"Feed {feed} item {n}: the mayor of town {feed * ITEMS + n} resigns over budget",
        f"Edit {edits}: the mayor went.",
    )


if __name__ == "__main__":
    main()
