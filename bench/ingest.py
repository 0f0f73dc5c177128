"""First run and all-304 run of ingestion against lemon24/reader on the same wire, in one run: the ratios count.

    .venv/bin/python bench/ingest.py --peer /path/to/peer/bin/python [--feeds 300 --items 30 --rounds 3]

Ours: everything on (two parsing processes, health, revisions, stories, mentions, novelty, languages) into an embedded
PostgreSQL. CPU is of the client with its parsing processes; the CPU of Postgres is given apart, because reader's SQLite
runs inside its process. The peer runs with 2 and 16 workers; the better one counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from ingest_wire import address  # noqa: E402

from pipeline.ingest import step  # noqa: E402
from pipeline.settings import Settings  # noqa: E402
from pipeline.store import migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def wire(feeds: int, items: int) -> Iterator[int]:
    """The feed server as a process; its port."""
    command = [
        sys.executable,
        str(ROOT / "bench/ingest_wire.py"),
        "--feeds",
        str(feeds),
        "--items",
        str(items),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    yield int(process.stdout.readline().split()[1])
    process.stdin.close()
    process.wait(10)


def client_cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def postgres_cpu(data: Path) -> float:
    """CPU seconds of the server and its processes, those that ended included."""
    postmaster = int((next(data.rglob("postmaster.pid"))).read_text().split()[0])
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == postmaster:
            total += sum(map(int, fields[11:15])) / TICK
        elif int(fields[1]) == postmaster:
            total += sum(map(int, fields[11:13])) / TICK
    return total


def ours(port: int, feeds: int, data: Path, server: Server) -> dict[str, Any]:
    """One first run and one all-304 run on a fresh database."""
    server.ensure_database("bench")
    migrate.upgrade(server.url("bench"))
    engine = create_engine(server.url("bench"))
    listed = "".join(
        f'[[feeds]]\nname = "f{n}"\nurl = "http://{address(n)}:{port}/feed"\n' for n in range(feeds)
    )
    (data / "feeds.toml").write_text(listed)
    step.sync_feeds(engine, data / "feeds.toml", as_of=NOW)
    step.sync_companies(engine, ROOT / "companies.toml", as_of=NOW)
    settings = Settings(fetch_allow_private=("127.0.0.0/8",), _env_file=None)
    with engine.connect() as connection:
        ids = list(connection.execute(sa.text("select id from feeds order by id")).scalars())
    result: dict[str, Any] = {}
    for name, as_of in (("first", NOW), ("again", NOW + timedelta(hours=1))):
        cpu_at, postgres_at, at = client_cpu(), postgres_cpu(data), time.perf_counter()
        report = step.ingest_feeds(engine, ids, settings=settings, as_of=as_of)
        result[name] = {
            "wall_s": time.perf_counter() - at, "cpu_s": client_cpu() - cpu_at, "postgres_cpu_s": postgres_cpu(data) - postgres_at,
        }  # fmt: skip
        result[f"{name}_report"] = {key: value for key, value in report.as_dict().items() if value}
    engine.dispose()
    server.drop_database("bench")
    return result | {"articles": result["first_report"]["new"]}


def peer(python: str, port: int, feeds: int, workers: int) -> dict[str, Any]:
    command = [python, str(ROOT / "bench/ingest_peer.py"), str(port), str(feeds), str(workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT / "bench")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", help="Python of an environment with reader 3.26")
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--items", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {"ours": [], "reader 2": [], "reader 16": []}
    with tempfile.TemporaryDirectory() as home, wire(arguments.feeds, arguments.items) as port:
        server = Server(Path(home) / "postgres").start()
        try:
            for _ in range(arguments.rounds):
                rows["ours"].append(ours(port, arguments.feeds, Path(home), server))
                for workers in (2, 16) if arguments.peer else ():
                    rows[f"reader {workers}"].append(peer(arguments.peer, port, arguments.feeds, workers))
        finally:
            server.stop()
    print(json.dumps(rows["ours"][-1], indent=1))
    _table(rows, arguments.feeds)


def _table(rows: dict[str, list[dict[str, Any]]], feeds: int) -> None:
    print(f"{'':10} {'articles/s':>10} {'CPU ms/article':>15} {'304 feeds/s':>12}   (medians)")
    for name, runs in rows.items():
        if runs:
            speed = statistics.median(run["articles"] / run["first"]["wall_s"] for run in runs)
            cpu = statistics.median(run["first"]["cpu_s"] / run["articles"] * 1000 for run in runs)
            again = statistics.median(feeds / run["again"]["wall_s"] for run in runs)
            print(f"{name:10} {speed:10.0f} {cpu:15.3f} {again:12.0f}")
    print(
        "Postgres CPU ms/article:",
        round(
            statistics.median(r["first"]["postgres_cpu_s"] / r["articles"] * 1000 for r in rows["ours"]), 3
        ),
    )


if __name__ == "__main__":
    main()
