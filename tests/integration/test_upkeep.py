"""What the night does: one part that fails hides no other, and the operator hears of a feed what analysts see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import sqlalchemy as sa
from newsroom import NOW, add_feed
from sqlalchemy.engine import Engine

from pipeline import run
from pipeline.ingest.upkeep import feed_health
from pipeline.settings import Settings
from pipeline.store import desk_feeds


def test_feed_health_is_told_although_partitions_fail_and_the_error_is_raised(engine: Engine) -> None:
    feed = add_feed(engine)
    with engine.begin() as connection:
        for statement in (
            "alter table evaluations rename to evaluations_away",
            "insert into feed_states (feed_id, status, error_class, error_count, first_error_at, next_due_at)"
            " values (:feed, 'backing_off', 'ServerError', 40, :since, :since) on conflict (feed_id) do update set"
            " status = 'backing_off', error_class = 'ServerError', error_count = 40, first_error_at = :since",
        ):
            connection.execute(sa.text(statement), {"feed": feed, "since": NOW - timedelta(days=3)})
    line = run.Line(Settings(operator_receiver="ops", _env_file=None), engine)  # type: ignore[call-arg]
    with pytest.raises(psycopg2.errors.UndefinedTable) as failed:
        run.maintain(line, as_of=NOW)
    with engine.connect() as connection:
        kinds = connection.execute(sa.text("select kind from notifications")).scalars().all()
    assert kinds == ["operator"]
    assert any(note.startswith("partitions failed: ") for note in failed.value.__notes__)


def test_the_view_and_the_desk_call_a_feed_silent_when_the_operator_is_told(engine: Engine) -> None:
    now, hour, day = datetime.now(UTC), timedelta(hours=1), timedelta(days=1)
    states = {  # usual gap, last new article, status, last good poll
        "brief": (600, 3 * hour, "ok", hour),
        "quiet": (600, 4 * day, "ok", hour),
        "rare": (2 * 86_400, 9 * day, "ok", hour),
        "rare and quiet": (2 * 86_400, 11 * day, "ok", hour),
        "new": (None, None, "ok", hour),
        "failing": (600, 4 * day, "backing_off", 4 * day),
        "unasked": (None, None, "ok", None),
    }
    for name, (gap, new, status, good) in states.items():
        feed = add_feed(engine, name.replace(" ", "-"), added_at=now - 5 * day)
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into feed_states (feed_id, median_gap_s, last_new_item_at, status, last_ok_at)"
                    " values (:feed, :gap, :new, :status, :good)"
                ),
                {
                    "feed": feed,
                    "gap": gap,
                    "new": new and now - new,
                    "status": status,
                    "good": good and now - good,
                },
            )
    told = feed_health(engine, settings=Settings(_env_file=None), as_of=now)["problems"]  # type: ignore[call-arg]
    silent = {line.partition(":")[0] for line in told if "brought nothing new" in line}
    assert silent == {"quiet", "rare-and-quiet", "new"}
    with engine.connect() as connection:
        viewed = connection.execute(sa.text("select name from analytics.feed_health where silent")).scalars()
        assert set(viewed) == silent
        assert {row["name"] for row in desk_feeds.feeds(connection, now) if row["silent"]} == silent
