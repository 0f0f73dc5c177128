"""Scoring against a real queue: claims, deaths, several workers, re-scores."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from learning import make_line
from sqlalchemy.engine import Engine

import pipeline.run
from pipeline.score.plan import Failed
from pipeline.score.step import Work, score_waiting
from pipeline.store import models, scores
from pipeline.store.engine import read_sql
from pipeline.types import Probabilities

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Verdict:
    sentiment: Probabilities
    companies: dict[str, Probabilities] = field(default_factory=dict)
    topics: dict[str, float] = field(default_factory=dict)


class WordClassifier:
    """The fake: negative when the text says bad, and every text it saw is remembered."""

    languages = ("en",)

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.order: list[int] = []

    def __call__(self, stories):
        self.seen.update(story.text for story in stories)
        self.order += [story.story_id for story in stories]
        return [self._verdict(story) for story in stories]

    def _verdict(self, story):
        if "break" in story.text:
            return Failed("broken text")
        p = Probabilities(0.9, 0.05, 0.05) if "bad" in story.text else Probabilities(0.1, 0.8, 0.1)
        return Verdict(p, {m.name: p for m in story.mentions}, {"markets": 0.8, "macro": 0.1})


def add_stories(engine: Engine, texts: list[str], start: int = 0, language: str = "en") -> list[int]:
    with engine.begin() as connection:
        return [
            connection.execute(
                sa.text(
                    "insert into stories (title, text, text_hash, language, first_seen_at, available_at, last_seen_at)"
                    " values (:t, :t, decode(md5(:t), 'hex'), :l, :at, :at, :at) returning id"
                ),
                {"t": text, "l": language, "at": NOW + timedelta(seconds=start + number)},
            ).scalar_one()
            for number, text in enumerate(texts)
        ]


def add_many_stories(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into stories (title, text, text_hash, language, first_seen_at, available_at, last_seen_at)"
                " select 't', 'story ' || n, decode(md5(n::text), 'hex'), 'en', at, at, at"
                " from generate_series(1, :number) n, lateral (select :now + n * interval '1 second' as at)"
            ),
            {"number": number, "now": NOW},
        )


def add_model(engine: Engine, version: str = "v1") -> int:
    with engine.begin() as connection:
        return models.register_model(connection, version=version, path="nowhere", manifest={}, as_of=NOW).id


def run(engine: Engine, model_id: int, classify=None, limit: int = 10_000, batch: int = 4, **work):
    return score_waiting(
        engine,
        classify or WordClassifier(),
        Work(model_id, **work),
        clock=lambda: NOW,
        limit=limit,
        batch_stories=batch,
    )


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()


def wait_until_gone(engine: Engine, pid: int) -> None:
    query = sa.text("select count(*) from pg_stat_activity where pid = :pid")
    for _ in range(200):
        with engine.connect() as connection:
            if not connection.execute(query, {"pid": pid}).scalar_one():
                return
        time.sleep(0.05)
    raise AssertionError("the server keeps the dead connection")


def test_everything_waiting_is_scored_once_and_a_second_run_does_nothing(engine):
    model = add_model(engine)
    add_stories(engine, [f"story {n} {'bad' * (n % 2)}" for n in range(10)])
    first, second = run(engine, model), run(engine, model)
    assert (first.scored, second.scored) == (10, 0)
    assert count(engine, "scores") == 10
    assert count(engine, "score_queue") == count(engine, "score_batches") == 0
    with engine.connect() as connection:
        assert (
            connection.execute(sa.text("select count(*) from scores where sentiment = 'negative'")).scalar()
            == 5
        )


def test_live_news_goes_newest_first_and_a_rescore_oldest_first(engine):
    model = add_model(engine)
    ids = add_stories(engine, ["one", "two", "three"])
    live = WordClassifier()
    run(engine, model, live, batch=1)
    assert live.order == ids[::-1]
    other = add_model(engine, "v2")
    with engine.begin() as connection:
        assert scores.enqueue_rescore(connection, other, NOW - timedelta(days=1)) == 3
    again = WordClassifier()
    run(engine, other, again, batch=1, rescore_model_id=other, order="oldest")
    assert again.order == ids
    assert count(engine, "scores") == 6


def test_a_rescore_leaves_live_stories_alone(engine):
    model = add_model(engine)
    add_stories(engine, ["one"])
    other = add_model(engine, "v2")
    with engine.begin() as connection:
        scores.enqueue_rescore(connection, other, NOW - timedelta(days=1))
    run(engine, other, rescore_model_id=other)
    assert count(engine, "score_queue") == 1
    assert run(engine, model).scored == 1


def test_identical_texts_reach_the_model_once_also_across_batches(engine):
    model = add_model(engine)
    add_stories(engine, ["same words"] * 3 + ["other"])
    classify = WordClassifier()
    run(engine, model, classify, batch=2)
    add_stories(engine, ["same words"], start=100)
    run(engine, model, classify)
    assert classify.seen["same words"] <= 2, "two batches are under way at once, so twice is the most"
    assert count(engine, "scores") == 5


def test_a_text_that_breaks_the_model_is_set_apart_and_its_batch_goes_on(engine):
    model = add_model(engine)
    add_stories(engine, ["fine", "break me", "fine too"])
    add_stories(engine, ["亏损"], language="zh")
    report = run(engine, model)
    assert (report.scored, report.apart) == (2, 2)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select reason, detail from unscored_stories order by 1")).all()
    assert [tuple(row) for row in rows] == [
        ("failure", "broken text"),
        ("language", "zh is not read by this model"),
    ]


def test_a_claim_of_a_dead_worker_is_free_at_once(engine):
    model = add_model(engine)
    add_stories(engine, ["one", "two"])
    dead = engine.connect()
    claimed = scores.claim(dead, queue_model_id=None, limit=10, order="newest")
    scores.note_start(engine, dead, claimed, NOW)
    assert run(engine, model).scored == 0, "held by a living worker"
    pid = dead.execute(sa.text("select pg_backend_pid()")).scalar_one()
    dead.invalidate()  # the server sees the connection die, as after SIGKILL
    dead.close()
    wait_until_gone(engine, pid)
    report = run(engine, model)
    assert (report.scored, report.recovered) == (2, 1)


class Deadly(WordClassifier):
    def __call__(self, stories):
        if any(story.text == "killer" for story in stories):
            raise MemoryError
        return super().__call__(stories)


@pytest.mark.parametrize("claim_takes_s", [0, 0.05])
def test_a_story_that_kills_its_worker_is_first_alone_and_then_set_apart(engine, monkeypatch, claim_takes_s):
    # slow claims: the one made ahead must neither take what the dying worker gives back nor share the blame
    claim = scores.claim
    monkeypatch.setattr(scores, "claim", lambda *a, **k: time.sleep(claim_takes_s) or claim(*a, **k))
    model = add_model(engine)
    add_stories(engine, ["harmless", "harmless too", "killer", "harmless as well"])
    deaths = 0
    for _ in range(scores.DEATHS_UNTIL_APART + 1):
        try:
            run(engine, model, Deadly())
        except MemoryError:
            deaths += 1
    with engine.connect() as connection:
        apart = connection.execute(sa.text("select reason, detail from unscored_stories")).all()
    assert [tuple(row) for row in apart] == [("failure", "the scorer died 4 times on it")]
    assert deaths == 4
    assert count(engine, "scores") == 3
    assert count(engine, "score_queue") == 0


def test_a_worker_that_is_told_to_stop_blames_no_story(engine):
    model = add_model(engine)
    add_stories(engine, ["one", "two"])

    class Stopped(WordClassifier):
        def __call__(self, stories):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(engine, model, Stopped())
    assert count(engine, "score_batches") == 0
    report = run(engine, model)
    assert (report.scored, report.recovered) == (2, 0)


def test_a_death_in_the_live_queue_says_nothing_of_the_rescore_queue(engine):
    model, other = add_model(engine), add_model(engine, "v2")
    add_stories(engine, ["killer"])
    with engine.begin() as connection:
        scores.enqueue_rescore(connection, other, NOW - timedelta(days=1))
    with pytest.raises(MemoryError):
        run(engine, model, Deadly())
    scores.recover_orphans(engine, champion_id=model, as_of=NOW)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select model_version_id, attempts from score_queue order by 1")
        ).all()
    assert [tuple(row) for row in rows] == [(other, 0), (None, 1)]


def test_a_killer_of_the_live_queue_is_set_apart_for_the_champion_whoever_counts_its_last_death(engine):
    champion, other = add_model(engine), add_model(engine, "v2")
    add_stories(engine, ["killer"])
    for _ in range(scores.DEATHS_UNTIL_APART):
        with pytest.raises(MemoryError):
            run(engine, champion, Deadly())
    assert run(engine, other, rescore_model_id=other).recovered == 1
    assert (count(engine, "score_queue"), count(engine, "unscored_stories")) == (1, 0)
    assert run(engine, champion, Deadly()).recovered == 0
    with engine.connect() as connection:
        apart = connection.execute(sa.text("select model_version_id, detail from unscored_stories")).all()
    assert [tuple(row) for row in apart] == [(champion, "the scorer died 4 times on it")]
    assert count(engine, "score_queue") == 0


@pytest.mark.parametrize("queue_model_id", [None, 1])
@pytest.mark.parametrize("name", ["scores_claim", "scores_claim_oldest"])
def test_a_claim_walks_an_index_however_long_the_queue_is(engine, name, queue_model_id):
    model = add_model(engine)
    add_many_stories(engine, 3000)
    with engine.begin() as connection:
        scores.enqueue_rescore(connection, model, NOW - timedelta(days=1))
        connection.execute(sa.text("analyze score_queue"))
        for low, high in (
            (0, scores.DEATHS_UNTIL_ALONE),
            (scores.DEATHS_UNTIL_ALONE, scores.DEATHS_UNTIL_APART),
        ):
            parameters = {
                "from_at": "-infinity",
                "until_at": "infinity",
                "queue_model_id": queue_model_id,
                "limit": 10,
                "min_attempts": low,
                "max_attempts": high,
            }
            text = f"explain {read_sql(name)}"
            plan = "\n".join(connection.execute(sa.text(text), parameters).scalars())
            assert "Seq Scan" not in plan, plan
            assert low or "Sort" not in plan, plan


def test_a_worker_goes_on_where_it_is_takes_news_first_and_ends_with_what_was_given_back(engine):
    ids = add_stories(engine, [f"story {n}" for n in range(8)])
    place, held = scores.Place(), []

    def claim(limit=2):
        held.append(engine.connect())
        found = scores.claim(held[-1], queue_model_id=None, limit=limit, order="newest", place=place)
        return [story.story_id for story in found.stories] if found else None

    assert claim() == [ids[7], ids[6]]
    assert claim() == [ids[5], ids[4]]
    held.pop(0).close()  # gives the first two back, as a death does
    late = add_stories(engine, ["just in"], start=100)
    assert claim(3) == [late[0], ids[7], ids[3]], "news, what stands at the marks, what is left"
    assert claim(100) == [ids[2], ids[1], ids[0]]
    assert claim(100) == [ids[6]], "given back, and far behind"
    assert claim(100) is None
    for connection in held:
        connection.close()


def test_work_is_noticed_without_counting_it(engine):
    model = add_model(engine)
    with engine.connect() as connection:
        assert not scores.any_waiting(connection, None)
        add_stories(engine, ["one"])
        assert scores.any_waiting(connection, None)
        assert not scores.any_waiting(connection, model)


@pytest.mark.parametrize("workers", [4])
def test_workers_share_a_backlog_without_scoring_anything_twice(engine, workers):
    model = add_model(engine)
    add_stories(engine, [f"story {n}" for n in range(200)])
    classifiers = [WordClassifier() for _ in range(workers)]
    threads = [
        threading.Thread(target=run, args=(engine, model, c), kwargs={"batch": 7}) for c in classifiers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = sum((c.seen for c in classifiers), Counter())
    assert len(seen) == 200
    assert max(seen.values()) == 1
    assert count(engine, "scores") == 200


# ---- another champion meanwhile


def crown(engine: Engine, version: str) -> int:
    model = add_model(engine, version)
    with engine.begin() as connection:
        models.point_alias(connection, version, by="test", reason="first", as_of=NOW)
    return model


def switch(connection, version: str) -> None:
    models.lock_alias(connection)
    models.point_alias(connection, version, by="anna", reason="better", as_of=NOW)
    scores.enqueue_rescore(connection, models.find_model(connection, version).id, NOW - timedelta(days=90))


def unread_by(engine: Engine, model: int) -> int:
    query = "select count(*) from stories where id not in (select story_id from scores where model_version_id = :m)"
    with engine.connect() as connection:
        return connection.execute(sa.text(query), {"m": model}).scalar_one()


def test_a_run_that_sees_another_champion_goes_on_with_that_one(engine, database_url, tmp_path, monkeypatch):
    line = make_line(engine, database_url, tmp_path)
    line.settings.score_batch_stories = 2
    crown(engine, "v1")
    b = add_model(engine, "v2")
    add_stories(engine, [f"story {n}" for n in range(8)])
    loaded: dict[str, WordClassifier] = {}

    class Overtaken(WordClassifier):
        def __call__(self, stories):
            said = super().__call__(stories)
            if len(self.order) == 4:  # in the middle of its second batch
                with engine.begin() as connection:
                    switch(connection, "v2")
                add_stories(engine, [f"news {n}" for n in range(6)], start=100)
            return said

    def load(line, stored):
        loaded[stored.version] = Overtaken() if stored.version == "v1" else WordClassifier()
        return loaded[stored.version]

    monkeypatch.setattr(pipeline.run, "load_classifier", load)
    done = pipeline.run.score(line, as_of=NOW)
    assert done["model"] == "v2"
    assert len(loaded["v1"].order) <= 6, "its batch and the one claimed ahead are the last"
    assert {f"news {n}" for n in range(6)} <= set(loaded["v2"].seen)
    with engine.connect() as connection:
        assert not scores.any_waiting(connection, None)
    pipeline.run.score(line, rescore="v2", as_of=NOW)
    assert unread_by(engine, b) == 0


def test_what_arrives_while_a_champion_is_switched_waits_for_the_new_one(engine):
    a = crown(engine, "v1")
    b = add_model(engine, "v2")
    waiting = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    reports = []
    worker = threading.Thread(target=lambda: reports.append(run(engine, a)))
    with engine.begin() as connection:
        switch(connection, "v2")  # has queued what it found, and does not know of what comes now
        add_stories(engine, ["just in"])
        worker.start()
        for _ in range(200):
            with engine.connect() as other:
                if other.execute(waiting).scalar_one():
                    break
            time.sleep(0.02)
    worker.join()
    assert run(engine, b).scored == 1
    assert unread_by(engine, b) == 0
    assert reports[0].replaced
    assert count(engine, "score_batches") == 0


def test_a_rescore_does_not_mind_who_is_champion(engine):
    crown(engine, "v1")
    other = add_model(engine, "v2")
    add_stories(engine, ["one"])
    with engine.begin() as connection:
        scores.enqueue_rescore(connection, other, NOW - timedelta(days=1))
    report = run(engine, other, rescore_model_id=other)
    assert (report.scored, report.replaced) == (1, False)
