"""Copies against 100,000 stored articles: CPU and SQL per article, recall on near copies, merges of templates.

    .venv/bin/python bench/ingest_stories.py [--stored 100000 --probes 2000]

Stored: random texts (seed 11), a tenth of them templates that differ in the company alone. Then probes in batches of
1,000, as a run groups them: near copies (outlet suffix, prefix, dateline, one sentence dropped, words replaced), new
templates about other companies, new texts. Recall = near copies that join their original's story; a merge = a template
that joins another company's. `place` CPU is of this process, `lookup` the wall time of the candidates' statement.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from ingest_wire import _SYLLABLES  # noqa: E402

from pipeline.ingest import group, grouping  # noqa: E402
from pipeline.ingest.articles import Draft  # noqa: E402
from pipeline.store import articles, feeds, migrate, stories  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEMPLATES = (
    ("{} shares fall after the company cuts its outlook for the year", "Shares of {} fell on Monday after the company cut its outlook for the full year, citing weak demand in Europe. Analysts had expected {} to keep its forecast."),
    ("{} to replace chief executive in surprise move", "{} said on Monday that its chief executive would leave at the end of the month. The board of {} has hired a search firm and named an interim head."),
    ("{} opens talks with lenders over debt", "{} has begun talks with its lenders about its debt, people familiar with the matter said. A spokesman for {} declined to comment on the talks."),
)  # fmt: skip


class Writer:
    """Texts with a fixed seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = ["".join(self.rng.choices(_SYLLABLES, k=self.rng.randint(1, 4))) for _ in range(6_000)]

    def sentence(self, count: int) -> str:
        return " ".join(self.rng.choices(self.words, k=count)).capitalize()

    def name(self) -> str:
        return "".join(self.rng.choices(_SYLLABLES, k=3)).capitalize() + self.rng.choice(
            [" Group", " Holdings", " Energy", ""]
        )

    def text(self) -> tuple[str, str]:
        return self.sentence(9), ". ".join(
            self.sentence(15) for _ in range(4)
        ) + f". It cost {self.rng.randint(2, 900)} million."

    def template(self) -> tuple[str, str]:
        title, text = self.rng.choice(TEMPLATES)
        name = self.name()
        return title.format(name), text.format(name, name)

    def near_copy(self, title: str, text: str) -> tuple[str, str]:
        sentences, kind = text.split(". "), self.rng.randrange(4)
        if kind == 0:
            return f"UPDATE 1-{title} - Reuters", f"LONDON (Reuters) - {text}"
        if kind == 1:
            return title.upper(), ". ".join(sentences[:3]) + "."
        words = text.split()
        for _ in range(max(1, len(words) // 33)):
            words[self.rng.randrange(len(words))] = self.rng.choice(self.words)
        return (
            (title, " ".join(words))
            if kind == 2
            else (f"{title} | The Paper", " ".join(words) + " Reporting by A; editing by B.")
        )


def draft(n: int, title: str, text: str) -> Draft:
    key = n.to_bytes(16, "big")
    return Draft(
        key,
        key,
        key,
        (),
        str(n),
        None,
        None,
        "s",
        title,
        text,
        None,
        None,
        (),
        "en",
        1.0,
        None,
        None,
        "none",
        "missing",
        (),
    )


def store(connection: sa.Connection, feed_id: int, texts: list[tuple[str, str]], first: int) -> None:
    new = [
        articles.NewArticle(feed_id, n.to_bytes(16, "big"), draft(n, *text), NOW)
        for n, text in enumerate(texts, first)
    ]
    articles.insert_articles(connection, new)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=2_000, help="of each of the three kinds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        server = Server(Path(home) / "postgres").start()
        try:
            run(server, arguments.stored, arguments.probes)
        finally:
            server.stop()


def run(server: Server, stored: int, probes: int) -> None:
    server.ensure_database("bench")
    migrate.upgrade(server.url("bench"))
    engine = create_engine(server.url("bench"))
    writer = Writer(11)
    texts = [writer.template() if n % 10 == 0 else writer.text() for n in range(stored)]
    with engine.begin() as connection:
        feed_id = feeds.import_feed(connection, "bench", NOW)
    at, cpu_at = time.perf_counter(), time.process_time()
    memory = group.open_memory(engine)
    for start in range(0, stored, 10_000):
        with engine.begin() as connection:
            store(connection, feed_id, texts[start : start + 10_000], start)
        with group.rare_collections():
            grouped = group.group_waiting(engine, memory)
    print(
        f"stored and grouped {stored} in {time.perf_counter() - at:.0f} s, {(time.process_time() - cpu_at) / stored * 1e6:.0f} us CPU each (last 10,000: {grouped})"
    )
    originals = writer.rng.sample([n for n in range(stored) if n % 10], probes)
    probe = (
        [writer.near_copy(*texts[n]) for n in originals]
        + [writer.template() for _ in range(probes)]
        + [writer.text() for _ in range(probes)]
    )
    with engine.begin() as connection:
        store(connection, feed_id, probe, stored)
        connection.execute(sa.text("analyze story_keys"))
    with group.rare_collections():
        cpu_s, lookup_s = measure(engine, memory)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select guid::int as n, story_id, title from articles order by id")
        ).all()
    story = {row.n: row.story_id for row in rows}
    recall = sum(story[stored + n] == story[original] for n, original in enumerate(originals)) / probes
    merged = merged_templates(rows)
    print(
        f"per article, {stored} stored: place {cpu_s / len(probe) * 1e6:.0f} us CPU, lookup {lookup_s / len(probe) * 1e3:.3f} ms SQL"
    )
    print(f"recall on near copies {recall:.4f}; template stories that hold two companies {merged}")


def measure(engine: sa.Engine, memory: grouping.GroupingMemory) -> tuple[float, float]:
    """CPU of deciding and wall time of the lookup, over all waiting articles."""
    spent: Counter[str] = Counter()
    with (
        timed(grouping, "read", time.process_time, spent),
        timed(grouping, "candidate", time.process_time, spent),
        timed(grouping, "place", time.process_time, spent),
        timed(stories, "candidates", time.perf_counter, spent),
    ):
        group.group_waiting(engine, memory)
    return spent["read"] + spent["candidate"] + spent["place"], spent["candidates"]


@contextmanager
def timed(module: ModuleType, name: str, clock: Callable[[], float], spent: Counter[str]) -> Iterator[None]:
    """What `module.name` takes by `clock` is added to `spent[name]` meanwhile."""
    usual = getattr(module, name)

    def call(*arguments: Any, **named: Any) -> Any:
        at = clock()
        try:
            return usual(*arguments, **named)
        finally:
            spent[name] += clock() - at

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, usual)


def merged_templates(rows: list[sa.Row]) -> int:  # type: ignore[type-arg]
    """Stories in which templates about two companies met."""
    names: dict[int, set[str]] = {}
    for row in rows:
        for title, _ in TEMPLATES:
            tail = title.removeprefix("{}")
            if row.title.endswith(tail):
                names.setdefault(row.story_id, set()).add(row.title.removesuffix(tail))
    return sum(any(_differ(one, other) for one in found for other in found) for found in names.values())


def _differ(one: str, other: str) -> bool:
    """`Acme` may be short for `Acme Group`; `Acme Energy` is somebody else."""
    return not (one.startswith(other) or other.startswith(one))


if __name__ == "__main__":
    main()
