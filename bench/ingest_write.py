"""Rows per second into Postgres: ours (batches through unnest; COPY for archives) against the row-by-row ORM loop.

    .venv/bin/python bench/ingest_write.py [--rows 20000]

The loop is the tutorial's: look the key up, `session.add`, `session.commit()` for each article, one mapped class on a
table of the same columns. Same texts, same server (default settings of the embedded one), one run; ours also writes
each article's first revision and its aliases.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from ingest_stories import Writer, draft  # noqa: E402

from pipeline.store import articles, feeds, migrate, staging  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "loop_items"
    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    summary: Mapped[str]
    source: Mapped[str]
    language: Mapped[str]
    first_seen_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


def loop(engine: sa.Engine, texts: list[tuple[str, str]]) -> float:
    Base.metadata.create_all(engine)
    at = time.perf_counter()
    with Session(engine) as session:
        for n, (title, text) in enumerate(texts):
            if session.scalars(sa.select(Item).where(Item.guid == str(n))).first() is None:
                session.add(
                    Item(guid=str(n), title=title, summary=text, source="s", language="en", first_seen_at=NOW)
                )
                session.commit()
    return len(texts) / (time.perf_counter() - at)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    texts = [Writer(3).text() for _ in range(200)]
    texts = [(f"{title} {n}", text) for n in range(rows // 200) for title, text in texts]
    with tempfile.TemporaryDirectory() as home:
        server = Server(Path(home) / "postgres").start()
        try:
            server.ensure_database("bench")
            migrate.upgrade(server.url("bench"))
            engine = create_engine(server.url("bench"))
            with engine.begin() as connection:
                ids = [feeds.import_feed(connection, name, NOW) for name in ("batches", "archive")]
            looped = loop(engine, texts[: max(len(texts) // 10, 500)])
            batched, copied = batches(engine, ids[0], texts), archive(engine, ids[1], texts)
        finally:
            server.stop()
    print(
        f"ORM loop {looped:.0f} rows/s, batches {batched:.0f} ({batched / looped:.1f}x), COPY and merge {copied:.0f} ({copied / looped:.1f}x)"
    )


def batches(engine: sa.Engine, feed_id: int, texts: list[tuple[str, str]]) -> float:
    new = [
        articles.NewArticle(feed_id, n.to_bytes(16, "big"), draft(n, *text), NOW)
        for n, text in enumerate(texts)
    ]
    at = time.perf_counter()
    for start in range(0, len(new), 1_000):
        with engine.begin() as connection:
            articles.insert_articles(connection, new[start : start + 1_000])
    return len(new) / (time.perf_counter() - at)


def archive(engine: sa.Engine, feed_id: int, texts: list[tuple[str, str]]) -> float:
    new = [
        articles.NewArticle(feed_id, n.to_bytes(16, "big"), draft(n, *text), NOW, NOW)
        for n, text in enumerate(texts)
    ]
    at = time.perf_counter()
    with engine.connect() as connection:
        with connection.begin():
            staging.create(connection)
            for start in range(0, len(new), 2_000):
                staging.copy_rows(connection, new[start : start + 2_000])
            staging.sort(connection)
        mark = staging.START
        while True:
            with connection.begin():
                chunk = staging.store_next(connection, mark, 2_000)
            if chunk is None:
                break
            mark = chunk.last
    return len(new) / (time.perf_counter() - at)


if __name__ == "__main__":
    main()
