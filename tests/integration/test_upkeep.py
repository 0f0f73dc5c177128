"""What the night does: one part that fails hides no other."""

from __future__ import annotations

from datetime import timedelta

import psycopg2
import pytest
import sqlalchemy as sa
from newsroom import NOW, add_feed
from sqlalchemy.engine import Engine

from pipeline import run
from pipeline.settings import Settings


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
