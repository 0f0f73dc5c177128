"""Every file of a feed corpus through the real path: HTTP on loopback, fetch, parse, Postgres; then all of it again.

    .venv/bin/python bench/ingest_corpus.py feedparser.tar.gz       (feedparser's own tests, e.g. of its sdist)

Checked per file: the outcome is ok or a typed error of the closed set; at least as many items are stored as an
independent count of <item>/<entry> tags finds, or the missing ones are rejected with a row; the second poll (parsed again)
changes nothing; what pipeline.ingest.parse_rss reads is what feedparser reads. Exit status 1 if one file fails.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/integration")]

from ingest_server import FeedServer, feed_server  # noqa: E402

from pipeline.ingest import answer, parse, step  # noqa: E402
from pipeline.ingest.parse import count_items  # noqa: E402
from pipeline.ingest.parse_rss import parse_rss  # noqa: E402
from pipeline.settings import Settings  # noqa: E402
from pipeline.store import feeds, migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# the deadline is for strangers; here it would only measure how busy this machine is
SETTINGS = Settings(fetch_allow_private=("127.0.0.0/8",), fetch_timeout_s=300, _env_file=None)
_HEADER = re.compile(rb"^\s*Header:\s*([\w-]+):\s*(.+?)\s*$", re.MULTILINE)
TYPED = {
    name
    for module in (answer, parse)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Exception)
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    with tarfile.open(parser.parse_args().corpus) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as home, feed_server() as wire:
        server = Server(Path(home) / "postgres").start()
        try:
            sys.exit(run(server, wire, files))
        finally:
            server.stop()


def run(server: Server, wire: FeedServer, files: dict[str, bytes]) -> int:
    server.ensure_database("corpus")
    migrate.upgrade(server.url("corpus"))
    engine = create_engine(server.url("corpus"))
    ids = {}
    with engine.begin() as connection:
        for n, (name, body) in enumerate(files.items()):
            headers = {key.decode(): value.decode("latin-1") for key, value in _HEADER.findall(body[:2_000])}
            wire.replies[f"/{n}"] = (200, headers, body)
            url = wire.url(f"/{n}", f"127.2.{n // 250}.{n % 250 + 1}")
            ids[name] = feeds.save_feed(connection, {"name": f"f{n}", "url": url}, NOW, origin="desk")
    started = time.perf_counter()
    first = step.ingest_feeds(engine, list(ids.values()), settings=SETTINGS, as_of=NOW)
    print(
        f"{len(files)} files in {time.perf_counter() - started:.0f} s:",
        {k: v for k, v in first.as_dict().items() if v},
    )
    with engine.begin() as connection:
        connection.execute(
            sa.text("update feed_states set body_hash = null, etag = null, last_modified = null")
        )
    second = step.ingest_feeds(engine, list(ids.values()), settings=SETTINGS, as_of=NOW + timedelta(hours=1))
    print("again:", {k: v for k, v in second.as_dict().items() if v})
    with engine.connect() as connection:
        polls = {
            row.feed_id: row
            for row in connection.execute(
                sa.text("select * from feed_fetches where started_at = :now"), {"now": NOW}
            )
        }
        rejects = Counter(
            connection.execute(
                sa.text("select feed_id from article_rejects where seen_at = :now"), {"now": NOW}
            ).scalars()
        )
    failures = [
        message
        for name, body in files.items()
        for message in check(name, body, polls[ids[name]], rejects[ids[name]])
    ]
    failures += differences(files)
    failures += (
        [f"the second poll changed {second.new} new, {second.revised} revised"]
        if second.new or second.revised
        else []
    )
    print("errors by class:", Counter(poll.error_class for poll in polls.values() if poll.error_class))
    print(
        f"counted tags {sum(map(count_items, files.values()))}, stored {first.new}, rejected {first.rejected}, duplicates {first.duplicate}"
    )
    print("\n".join(failures) or "every file: typed outcome, nothing lost, silent second poll")
    return bool(failures)


def differences(files: dict[str, bytes]) -> list[str]:
    """Files that the fast reader of RSS takes on and reads differently from feedparser, with their headers and without."""
    found, read = [], 0
    for name, body in files.items():
        own = {key.decode().lower(): value.decode("latin-1") for key, value in _HEADER.findall(body[:2_000])}
        for headers in (own, {}, {"content-type": "application/rss+xml"}):
            fast = parse_rss(body, headers)
            read += fast is not None
            if fast is not None and fast != parse.parse_xml(body, headers):
                found.append(f"{name}: not read as feedparser does")
    print(f"the fast reader of RSS took {read} of {3 * len(files)} documents, {len(found)} not as feedparser")
    return found


def check(name: str, body: bytes, poll: sa.Row, rejects: int) -> list[str]:  # type: ignore[type-arg]
    found = []
    if poll.outcome == "error" and poll.error_class not in TYPED:
        found.append(f"{name}: untyped {poll.error_class}")
    if poll.outcome == "error" and poll.error_class in (
        "ParserCrash",
        "ParseTimeout",
        "ParserFailed",
        "OddAnswer",
    ):
        found.append(f"{name}: {poll.error_class} {poll.error_message}")
    counted = count_items(body)
    if poll.outcome == "ok" and poll.new + poll.unchanged + poll.duplicate + poll.rejected < counted:
        found.append(
            f"{name}: {counted} tags, {poll.new} stored, {poll.duplicate} duplicate, {poll.rejected} rejected"
        )
    if bool(poll.rejected) != bool(rejects):
        found.append(f"{name}: {poll.rejected} rejected, {rejects} rows of them")
    if poll.outcome == "error" and counted:
        found.append(f"{name}: {counted} tags, but {poll.error_class}")
    return found


if __name__ == "__main__":
    main()
