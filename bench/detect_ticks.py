"""Cost of one tick with Postgres: `python bench/detect_ticks.py [--series 500]`.

All series have live counts in every quarter of the last day and four weeks of history. An embedded server of its own;
prints the median of ten ticks, the statistic alone, and the nightly baseline.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from pipeline.detect import tick as tick_module
from pipeline.detect.counts import TICK
from pipeline.detect.rules import Rules
from pipeline.detect.step import build_baselines, detect
from pipeline.store import migrate, models
from pipeline.store.engine import create_engine
from pipeline.store.server import Server

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
TICKS = 10
HISTORY = """
insert into windows (series_id, model_version_id, window_start, negative, other)
select s.id, :model, at, floor(random() * 2), floor(random() * 4)
from series s, generate_series(cast(:start as timestamptz), cast(:end as timestamptz), cast(:step as interval)) as at
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=500)
    number = parser.parse_args().series
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "postgres").start()
        try:
            server.ensure_database("bench")
            url = server.url("bench")
            migrate.upgrade(url)
            measure(create_engine(url), number)
        finally:
            server.stop()


def measure(engine: sa.Engine, number: int) -> None:
    with engine.begin() as c:
        model = models.register_model(c, version="v1", path="starter", manifest={}, as_of=NOW).id
        models.point_alias(c, "v1", by="bench", reason="bench", as_of=NOW - timedelta(days=99))
        c.execute(
            sa.text(
                "insert into companies (name, added_at) select 'company ' || n, :at from generate_series(1, :n) n"
            ),
            {"at": NOW - timedelta(days=99), "n": number - 20},
        )
    build_baselines(engine, Rules(), as_of=NOW - timedelta(days=40))  # makes the series
    with engine.begin() as c:
        for start, end, step in (
            (NOW - timedelta(days=29), NOW - timedelta(days=1), "1 hour"),
            (NOW - timedelta(days=1) + TICK, NOW + timedelta(hours=3), "15 minutes"),
        ):
            c.execute(sa.text(HISTORY), {"model": model, "start": start, "end": end, "step": step})
        c.execute(
            sa.text("insert into ticks (tick_at, evaluated_at, rule_version) values (:at, :at, 'bench')"),
            {"at": NOW},
        )
        c.execute(sa.text("analyze"))
    began = time.perf_counter()
    build_baselines(engine, Rules(), as_of=NOW)
    print(f"nightly baseline of {number} series: {time.perf_counter() - began:.2f} s")
    spent: list[float] = []
    find = tick_module.find

    def timed(*args: object) -> object:
        start = time.perf_counter()
        found = find(*args)  # type: ignore[arg-type]
        spent.append(time.perf_counter() - start)
        return found

    import pipeline.detect.step as step_module

    step_module.find = timed  # type: ignore[assignment]
    one_by_one = []
    for n in range(1, TICKS + 1):
        began = time.perf_counter()
        detect(engine, Rules(), as_of=NOW + TICK * n)
        one_by_one.append(time.perf_counter() - began)
    began = time.perf_counter()
    report = detect(engine, Rules(), as_of=NOW + TICK * 2 * TICKS)
    together = (time.perf_counter() - began) / report.ticks
    print(f"a run for one tick: {statistics.median(one_by_one) * 1000:.0f} ms (median of {TICKS})")
    print(
        f"a tick when several are caught up: {together * 1000:.0f} ms; the statistic: {statistics.median(spent) * 1000:.1f} ms"
    )


if __name__ == "__main__":
    main()
