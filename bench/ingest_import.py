"""An archive of a million rows through `import_articles`: rows per second, and the memory of the process as it goes.

    .venv/bin/python bench/ingest_import.py [--rows 1000000]

JSON lines of generated news (seed 11, 90 days, twenty outlets, one row in ten a copy), into an embedded PostgreSQL, with
stories and mentions of the shipped watch list. Memory is the resident set of this process, which reads, groups and writes.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from ingest_stories import Writer  # noqa: E402

from pipeline.ingest import step  # noqa: E402
from pipeline.settings import Settings  # noqa: E402
from pipeline.store import migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = 90


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as home:
        archive = Path(home) / "archive.jsonl"
        write(archive, rows)
        server = Server(Path(home) / "postgres").start()
        try:
            run(server, archive, rows)
        finally:
            server.stop()


def write(path: Path, rows: int) -> None:
    writer, recent = Writer(11), []
    with path.open("w", encoding="utf-8") as archive:
        for n in range(rows):
            copied = recent and writer.rng.random() < 0.1
            title, text = writer.rng.choice(recent) if copied else writer.text()
            recent = [*recent[-200:], (title, text)]
            at = NOW - timedelta(days=DAYS) * (1 - n / rows)
            row = {"title": title, "summary": text, "published_at": at.isoformat(), "source": f"outlet {n % 20}",
                   "url": f"https://outlet{n % 20}.example/{n}"}  # fmt: skip
            archive.write(json.dumps(row) + "\n")


def run(server: Server, archive: Path, rows: int) -> None:
    server.ensure_database("bench")
    migrate.upgrade(server.url("bench"))
    engine = create_engine(server.url("bench"))
    step.sync_companies(engine, ROOT / "companies.toml", as_of=NOW)
    started, stored, told = time.perf_counter(), 0, 0

    def progress(done: int) -> None:
        nonlocal stored, told
        stored += done
        if stored - told >= rows // 10:
            told = stored
            print(f"{stored} rows stored and grouped after {time.perf_counter() - started:.0f} s: {resident_mb()} MB", flush=True)  # fmt: skip

    report = step.import_articles(
        engine, archive, settings=Settings(_env_file=None), as_of=NOW, progress=progress
    )
    seconds = time.perf_counter() - started
    print({key: value for key, value in report.as_dict().items() if value})
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{archive.stat().st_size // 1024**2} MB in {seconds:.0f} s, {rows / seconds:.0f} rows/s, peak {peak_mb} MB"
    )


def resident_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


if __name__ == "__main__":
    main()
