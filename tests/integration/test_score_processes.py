"""Scoring processes that are killed with SIGKILL in the middle of a batch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from test_score import add_many_stories, add_model, count, run

from pipeline.store import scores

STORIES = 300
WORKER = Path(__file__).with_name("score_worker.py")


def start_worker(url: str, model: int, log: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), url, str(model), str(log)], stdout=subprocess.PIPE, text=True
    )


def read_log(log: Path) -> list[tuple[int, int, int]]:
    """(process, its batch number, story) of every story that a classifier was given."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(p), int(b), int(s)) for p, b, s in (line.split() for line in lines)]


def wait_for(what, timeout_s: float = 90):
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("it never happened")


def test_two_of_four_processes_killed_mid_batch_lose_nothing_and_score_nothing_twice(
    engine, database_url, tmp_path
):
    model = add_model(engine)
    add_many_stories(engine, STORIES)
    log = tmp_path / "seen.log"
    workers = [start_worker(database_url, model, log) for _ in range(4)]
    try:
        wait_for(lambda: len({process for process, batch, _ in read_log(log) if batch == 2}) == 4)
        wait_for(lambda: count(engine, "scores") == 4 * 7)  # their first batches are written
        doomed = [worker.pid for worker in workers[:2]]
        for worker in workers[:2]:
            worker.kill()
            worker.wait()
        log.with_suffix(".go").touch()
        assert [worker.wait(90) for worker in workers[2:]] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()

    def drain():
        recovered.append(run(engine, model).recovered)
        return not count(engine, "score_queue") and not count(engine, "score_batches")

    recovered = [int(worker.communicate()[0]) for worker in workers[2:]]
    wait_for(drain)
    assert sum(recovered) == 2
    assert count(engine, "scores") == STORIES
    assert count(engine, "unscored_stories") == 0
    answered = Counter(
        story for process, batch, story in read_log(log) if process not in doomed or batch == 1
    )
    lost = {story for process, batch, story in read_log(log) if process in doomed and batch == 2}
    assert max(answered.values()) == 1, "no verdict was given twice"
    assert len(lost) == 14, "and two batches died in the model"


def test_a_killed_process_gives_its_claim_back_with_nobody_looking_for_it(engine, database_url, tmp_path):
    model = add_model(engine)
    add_many_stories(engine, 14)
    worker = start_worker(database_url, model, tmp_path / "seen.log")

    def claim_all():
        with engine.connect() as connection:
            claimed = scores.claim(connection, queue_model_id=None, limit=100, order="newest")
            return claimed and {story.story_id for story in claimed.stories}

    try:
        wait_for(lambda: {batch for _, batch, _ in read_log(tmp_path / "seen.log")} == {1, 2})
        in_the_model = {story for _, batch, story in read_log(tmp_path / "seen.log") if batch == 2}
        assert not in_the_model & (claim_all() or set())
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: claim_all() == in_the_model)
