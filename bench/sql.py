"""How long analysts and the desk wait: each question of sql/queries and each page's queries on years of news.

    .venv/bin/python bench/sql.py --articles 1000000 --days 730 --companies 500

Starts a PostgreSQL of its own (default settings of the embedded server) under --home, fills it from bench/market, then runs
each statement in turn, --rounds times after two warm-up rounds, and prints the 95th percentile against the target of 200 ms
(50 ms for the 30-day chart of one company). Last it stores 1,000 scored stories with their roll-ups in one
transaction and rolls it back. A filled home is used again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from market import generate
from sqlalchemy.exc import OperationalError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.store import migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

STORIES_PER_ARTICLE = 0.62  # the market makes about 1.6 articles a story
TARGET_MS, CHART_TARGET_MS, STORE_TARGET_MS = 200, 50, 300
# While filling: one core, and nothing of a crash matters; the figures are taken with the settings that ship.
FILLING = {
    "fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "max_wal_size": "2GB",
    "max_parallel_workers_per_gather": "0", "max_parallel_maintenance_workers": "0",
}  # fmt: skip


def main() -> None:
    options = read_options()
    home = options.home.absolute()
    with running(Server(home, settings=FILLING)) as server:
        fill(server, options)
    if not options.fill_only:
        with running(Server(home)) as server:
            measure(create_engine(server.url("market")), options)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
    finally:
        server.stop()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--companies", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--home", type=Path, default=ROOT / ".undertow" / "bench-sql")
    parser.add_argument("--only", default="", help="measure what has this in its name")
    parser.add_argument("--fill-only", action="store_true", help="make the data and stop")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    return parser.parse_args()


def fill(server: Server, options: argparse.Namespace) -> None:
    server.ensure_database("market")
    migrate.upgrade(server.url("market"))
    engine = create_engine(server.url("market"))
    with engine.connect() as connection:
        if connection.scalar(sa.text("select count(*) from drift_reports")):
            return
    start = time.perf_counter()

    def tell(what: str) -> None:
        print(f"{time.perf_counter() - start:7.0f} s  {what}", flush=True)

    tell(f"filling {options.articles:,} articles over {options.days} days")
    raw = engine.raw_connection()
    generate(
        raw,
        stories=int(options.articles * STORIES_PER_ARTICLE),
        days=options.days,
        companies=options.companies,
        now=datetime.now(UTC),
        tell=tell,
    )
    raw.close()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze"))
    tell("filled")
    engine.dispose()


def measure(engine: sa.Engine, options: argparse.Namespace) -> None:
    with engine.connect() as connection:
        sizes = connection.execute(
            sa.text(
                "select (select count(*) from articles), (select count(*) from stories), (select count(*) from sentiment_rollups),"
                " pg_database_size(current_database())"
            )
        ).one()
    print(
        f"{sizes[0]:,} articles, {sizes[1]:,} stories, {sizes[2]:,} roll-up rows, {sizes[3] / 1e9:.1f} GB\n"
    )
    busy = os.getloadavg()[0]
    figures, missed = {}, 0
    for name, run in statements(engine):
        if options.only not in name:
            continue
        figures[name] = least, p50, p95 = timed(run, options.rounds)
        target = (
            STORE_TARGET_MS if name.startswith("store") else CHART_TARGET_MS if "chart" in name else TARGET_MS
        )
        missed += p95 > target
        print(
            f"{name:<44} least {least:7.1f}   p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   {'' if p95 <= target else f'over {target} ms'}",
            flush=True,
        )
    print(
        f"load of the machine {busy:.1f} at the start, {os.getloadavg()[0]:.1f} at the end, {os.cpu_count()} cores"
    )
    print(f"\n{len(figures) - missed} of {len(figures)} within target")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def timed(run: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Least, median and 95th percentile of `run` in milliseconds, after two warm-up runs; over 10 s is given up as 10,000."""
    times = []
    try:
        run(), run()
    except OperationalError:
        return 10_000.0, 10_000.0, 10_000.0
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return min(times), float(np.percentile(times, 50)), float(np.percentile(times, 95))


def statements(engine: sa.Engine) -> Iterator[tuple[str, Callable[[], Any]]]:
    for path in sorted((ROOT / "sql" / "queries").glob("*.sql")):
        yield f"question {path.stem}", lambda text=path.read_text(): ask(engine, text)
    yield from pages(engine)
    yield "store 1,000 scored stories with roll-ups", lambda: store_batch(engine)


def pages(engine: sa.Engine) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each page and API route as a browser gets it, drawn and all: no network, no login."""
    from fastapi.testclient import TestClient

    from pipeline.desk.app import create_app
    from pipeline.settings import Settings

    browser = TestClient(
        create_app(engine, Settings(desk_secret="bench", _env_file=None)),
        base_url="http://127.0.0.1",
        client=("127.0.0.1", 1),
    )
    with engine.connect() as connection:
        company = connection.scalar(sa.text("select id from series where company_id = 250"))
        topic = connection.scalar(sa.text("select id from series where kind = 'topic' and key = 'energy'"))
        alert, story = (
            connection.scalar(sa.text(f"select max(id) from {table}")) for table in ("alerts", "stories")
        )
    everything = "/api/v1/series/1/chart"
    paths = {
        "overview": "/", "series, all companies": "/series", "series, one company": f"/series/{company}", "series, one topic": f"/series/{topic}",
        "chart, one company, 30 days": f"/api/v1/series/{company}/chart?range=30d",
        "everything, 24 hours by hours": f"{everything}?range=24h", "everything, 2 years": f"{everything}?range=2y",
        "stories": "/stories", "stories, words": "/stories?q=profit+warning", "stories, rare words": "/stories?q=%22audit+questions%22+deposits",
        "stories, one company, negative": "/stories?company=250&sentiment=negative", "stories, one topic": "/stories?topic=energy",
        "stories, one outlet": "/stories?source=Quill+Markets", "stories, a sector a year ago": "/stories?sector=Banks&until=2025-11-01T00:00",
        "story": f"/stories/{story}", "alerts": "/alerts", "alert": f"/alerts/{alert}", "label": "/label", "models": "/models", "feeds": "/feeds",
    }  # fmt: skip
    for name, path in paths.items():
        yield f"page {name}", lambda path=path: get(browser, path)


def get(browser: Any, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])


def ask(engine: sa.Engine, text: str) -> list[Any]:
    """One question as the analysts' role, without the rows' conversion to Python being optimised away."""
    with engine.begin() as connection:
        connection.execute(sa.text("set local role undertow_reader"))
        connection.execute(sa.text("set local search_path = analytics; set local statement_timeout = '10s'"))
        return connection.exec_driver_sql(text.replace("%", "%%")).fetchall()


def store_batch(engine: sa.Engine) -> None:
    """The newest 1,000 verdicts said again by another version, counted and rolled up, then rolled back."""
    newest = "select story_id from scores where model_version_id = 2 order by story_id desc limit 1000"
    copies = {
        "scores": "3, scored_at, negative, neutral, positive, sentiment, text_hash",
        "score_companies": "3, company_id, negative, neutral, positive, sentiment",
        "score_topics": "3, topic, probability",
        "counted_stories": "3, window_start, counted_at, live",
    }
    with engine.connect() as connection, connection.begin() as transaction:
        for table, columns in copies.items():
            connection.execute(
                sa.text(
                    f"insert into {table} select story_id, {columns} from {table}"
                    f" where model_version_id = 2 and story_id in ({newest})"
                )
            )
        transaction.rollback()


if __name__ == "__main__":
    main()
