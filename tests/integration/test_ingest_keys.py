"""The keys under which copies meet: made anew after a crash whatever fails beside it, and kept for an archive."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from newsroom import NOW, add_feed
from sqlalchemy.engine import Engine

from pipeline.ingest import group, importing, upkeep
from pipeline.store import stories

TITLE = "Giant truck maker slashes four thousand jobs in Ohio and Texas plants"
BODY = (
    "The company said on Tuesday that it would cut four thousand jobs in its plants in Ohio and Texas after demand"
    " for its trucks fell sharply in the last quarter of the year, and warned of more to come."
)
OTHER = (
    "Central bank of Norway keeps rates as they are",
    "Nothing else was said by anybody on that day about it.",
)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)


def store(engine: Engine, feed_id: int, title: str, summary: str, at: datetime) -> None:
    """An article that waits for its story."""
    values = {"feed": feed_id, "key": f"{feed_id} {at}", "title": title, "summary": summary, "at": at}
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into articles (feed_id, item_key, source, title, summary, language, first_seen_at, event_at,"
                " available_at, content_hash) values (:feed, decode(md5(:key), 'hex'), 'source ' || :feed, :title, :summary,"
                " 'en', :at, :at, :at, '')"
            ),
            values,
        )


def copies(engine: Engine, title: str = TITLE) -> list[int]:
    """Of each story of that title, how many articles tell it."""
    with engine.connect() as connection:
        query = sa.text("select copies from stories where title = :title order by id")
        return list(connection.execute(query, {"title": title}).scalars())


def test_keys_lost_in_a_crash_are_made_anew_although_the_first_batch_fails(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_feed(engine), add_feed(engine, "other")
    store(engine, first, TITLE, BODY, NOW)
    group.group_waiting(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.text("truncate story_keys")
        )  # what a crash of the server does to an unlogged table
    memory = group.open_memory(engine)
    store(engine, first, *OTHER, NOW + timedelta(minutes=1))
    with monkeypatch.context() as patched:
        patched.setattr(stories, "insert_keys", _full)
        with pytest.raises(OSError, match="No space left"):
            group.group_waiting(engine, memory)
    group.group_waiting(engine, memory)  # the next batch of the same run
    store(engine, second, TITLE, BODY, NOW + timedelta(hours=1))
    group.group_waiting(engine)
    assert copies(engine) == [2]


def _full(*_: Any) -> None:
    raise OSError("No space left on device")


def _fail_keeping(engine: Engine) -> None:
    with engine.connect() as keeper, stories.keep_keys(keeper):
        keeper.execute(sa.text("select 1"))
        _full()


def archive(path: Path, rows: int = 80, every: int = 16) -> Path:
    """One event told by each sixteenth article, a minute apart from others that tell nothing alike."""
    told = [
        {
            "title": f"Report number {n} of {n * 7919 % 1009} says {n * 31} things about {n * 17}",
            "text": " ".join(f"{word}{n * 31}" for word in BODY.split()),
            "published": (MARCH + timedelta(minutes=n)).isoformat(),
            "source": ("alpha", "beta")[n // every % 2],
            "url": f"https://x.example/{n}",
        }
        for n in range(rows)
    ]
    for row in told[::every]:
        row.update(title=TITLE, text=BODY)
    path.write_text("\n".join(map(json.dumps, told)))
    return path


def test_copies_of_an_archive_meet_although_the_night_tidies_meanwhile(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "STORE_ROWS", 10)
    path, pruned = archive(tmp_path / "a.jsonl"), []
    report = importing.import_articles(
        engine, path, as_of=NOW, progress=lambda _: pruned.append(upkeep.prune(engine, as_of=NOW)["keys"])
    )
    assert report.new == 80
    assert copies(engine) == [5]
    assert pruned == [0] * 8
    assert upkeep.prune(engine, as_of=NOW)["keys"] > 0, "what an archive left goes the next night"


def test_keys_are_forgotten_by_the_one_who_keeps_them_and_again_by_all_after_a_failure(
    engine: Engine,
) -> None:
    later = NOW + timedelta(days=1)
    store(engine, add_feed(engine), TITLE, BODY, NOW)
    group.group_waiting(engine)
    with engine.connect() as keeper, stories.keep_keys(keeper):
        with engine.begin() as other, engine.connect() as second, stories.keep_keys(second):
            assert stories.forget_keys(other, later) == 0
            with keeper.begin():
                assert stories.forget_keys(keeper, later) == 0, "two archives at once keep each other's"
        with keeper.begin():
            assert stories.forget_keys(keeper, later) > 0
    store(engine, add_feed(engine, "other"), *OTHER, NOW)
    group.group_waiting(engine)
    with pytest.raises(OSError, match="No space left"):
        _fail_keeping(engine)
    with engine.begin() as other:
        other.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": stories.KEYS_LOCK})
        assert stories.forget_keys(other, later) > 0
