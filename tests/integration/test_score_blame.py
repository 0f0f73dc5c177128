"""Runs that fail: which failures are counted against the stories of a batch, and which are the machine's own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
import torch
from sqlalchemy.exc import DBAPIError, OperationalError
from test_score import NOW, WordClassifier, add_model, add_stories, count, run

from model.errors import DeviceFailed, DeviceLost
from pipeline.score.classifier import StoryClassifier
from pipeline.store import scores

RUNS = 2 * scores.DEATHS_UNTIL_APART + 2


def fail_writes(engine, code: str, only: str = "") -> None:
    """Has each write of a score fail with this SQLSTATE, or those of stories with this text."""
    condition = f"new.text_hash = decode(md5('{only}'), 'hex')" if only else "true"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create function fail() returns trigger language plpgsql as $$ begin"
            f" if {condition} then raise exception 'it fails' using errcode = '{code}'; end if; return new; end $$"
        )
        connection.exec_driver_sql(
            "create trigger fail before insert on scores for each row execute function fail()"
        )


def mend_writes(engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("drop trigger fail on scores")


def deaths(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.text("select coalesce(sum(attempts), 0) from score_queue")).scalar_one()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no room"), RuntimeError("the device is gone")])
def test_a_device_that_fails_leaves_all_stories_waiting_and_none_to_blame(engine, monkeypatch, error):
    starter = StoryClassifier.load(None, device="cpu", dtype="fp32")
    model = add_model(engine)
    add_stories(engine, [f"Acme falls {n} percent after a warning" for n in range(6)])

    def encode(ids, mask):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(starter._classifier, "_encode", encode)
        for _ in range(RUNS):
            with pytest.raises(DeviceFailed):
                run(engine, model, starter)
    assert (count(engine, "score_queue"), count(engine, "unscored_stories")) == (6, 0)
    assert (deaths(engine), count(engine, "score_batches")) == (0, 0)
    assert run(engine, model, starter).scored == 6


def test_a_story_on_which_the_device_goes_down_every_time_is_set_apart_in_the_end(engine):
    model = add_model(engine)
    add_stories(engine, ["harmless", "killer", "harmless too"])

    class GoesDown(WordClassifier):
        def __call__(self, stories):
            if any(story.text == "killer" for story in stories):
                raise DeviceLost("the device went down")
            return super().__call__(stories)

    for _ in range(scores.DEATHS_UNTIL_APART):
        with pytest.raises(DeviceLost):
            run(engine, model, GoesDown())
    run(engine, model, GoesDown())
    assert (count(engine, "scores"), count(engine, "unscored_stories")) == (2, 1)


def test_a_killer_of_the_live_queue_waits_for_a_run_that_knows_the_champion(engine):
    model = add_model(engine)
    add_stories(engine, ["killer"])
    with engine.begin() as connection:
        connection.execute(
            sa.text("update score_queue set attempts = :deaths"), {"deaths": scores.DEATHS_UNTIL_APART}
        )
    scores.recover_orphans(engine, champion_id=None, as_of=NOW)  # as a re-score does
    assert (count(engine, "score_queue"), count(engine, "unscored_stories")) == (1, 0)
    scores.recover_orphans(engine, champion_id=model, as_of=NOW)
    assert (count(engine, "score_queue"), count(engine, "unscored_stories")) == (0, 1)


@pytest.mark.parametrize("code", ["53100", "55P03", "57014"])  # disk full, lock timeout, query cancelled
def test_a_database_that_cannot_be_written_blames_no_story_however_often(engine, code):
    model = add_model(engine)
    add_stories(engine, [f"story {n}" for n in range(10)])
    fail_writes(engine, code)
    for _ in range(RUNS):
        with pytest.raises(OperationalError, match="it fails"):
            run(engine, model)
    assert (deaths(engine), count(engine, "score_batches")) == (0, 0)
    mend_writes(engine)
    assert run(engine, model).scored == 10
    assert count(engine, "unscored_stories") == 0


def test_a_connection_that_is_lost_while_the_model_works_blames_no_story(engine):
    model = add_model(engine)
    add_stories(engine, [f"story {n}" for n in range(10)])
    cut = sa.text(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )

    class Cut(WordClassifier):
        def __call__(self, stories):
            with engine.connect() as connection:
                connection.execute(cut)
            return super().__call__(stories)

    for _ in range(RUNS):
        with pytest.raises(DBAPIError):
            run(engine, model, Cut())
    assert (deaths(engine), count(engine, "score_batches")) == (0, 0)
    assert run(engine, model).scored == 10


def test_a_story_whose_verdict_cannot_be_stored_is_still_set_apart(engine):
    model = add_model(engine)
    add_stories(engine, ["fine", "out of range", "fine too"])
    fail_writes(engine, "22003", only="out of range")
    for _ in range(scores.DEATHS_UNTIL_APART):
        with pytest.raises(DBAPIError):
            run(engine, model)
    run(engine, model)
    assert (count(engine, "scores"), count(engine, "unscored_stories")) == (2, 1)


def test_a_database_that_is_away_when_the_note_is_to_be_forgotten_hides_no_error(engine, monkeypatch):
    model = add_model(engine)
    add_stories(engine, ["one"])
    begin = type(engine).begin

    def away(self):
        raise OperationalError("delete", {}, Exception("away"))

    class Fails(WordClassifier):
        def __call__(self, stories):
            monkeypatch.setattr(type(engine), "begin", away)
            raise DeviceFailed("no room")

    with pytest.raises(DeviceFailed):
        run(engine, model, Fails())
    monkeypatch.setattr(type(engine), "begin", begin)
    report = run(engine, model)
    assert (report.recovered, report.scored) == (1, 1)
