"""SIGKILL at any moment of a retraining: the champion scores on, and the next run goes on to the same end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from forker import Forker
from learning import champion_of, crown, give_labels, make_champion, make_line, one, row_of

from model.registry import verify
from pipeline import run
from pipeline.label.learn import RunFiles, adapt_encoder
from pipeline.store import models

# After which step a run is killed, and within how many seconds of its beginning.
MOMENTS = [
    ("prepare", 0.2),
    ("train", 0.3),
    ("train", 1.0),
    ("train", 1.0),
    ("evaluate", 0.5),
    ("gate", 0.1),
    ("promote", 0.05),
    ("rescore", 0.3),
]


class Child(Forker):
    """The process that forks retrainings."""

    def kill_after(self, step: str, seconds: float) -> str:
        """Starts a run and kills it so long after `step` has begun; how it ended, which may be before that."""
        pid = int(self.ask("run"))
        while (said := self.read()) not in (step, "killed") and not said.startswith("exit"):
            pass
        if said != step:
            return said
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)  # a zombie at worst: the parent waits for it
        return self.end()

    def end(self) -> str:
        while (said := self.read()) != "killed" and not said.startswith("exit"):
            pass
        return said


@pytest.fixture
def child(database_url: str, tmp_path: Path) -> Iterator[Child]:
    champion = make_champion(tmp_path)
    child = Child("retrain_child.py", database_url, str(tmp_path / "home"), str(champion))
    yield child
    child.stop()


def check_champion(line: run.Line, first: str) -> None:
    """The champion is the first one, or the challenger as a whole: a promotion that is in force is on its row, too."""
    with line.engine.connect() as connection:
        champion = models.champion(connection)
    assert champion is not None
    path = run.model_path(line, champion)
    assert path is not None
    assert verify(path).version == champion.version
    row = row_of(line)
    assert (champion.version != first) == (row is not None and row.state == "promoted")


@pytest.mark.timeout(600)
def test_killed_at_random_points(engine, database_url, tmp_path, child):
    line = make_line(engine, database_url, tmp_path / "home")
    crown(line, tmp_path / "champion")
    give_labels(line)
    first, rng, killed = champion_of(line), random.Random(7), 0
    for step, within in MOMENTS:
        killed += child.kill_after(step, rng.uniform(0, within)) == "killed"
        check_champion(line, first)
    assert killed >= len(MOMENTS) - 2, "the kills came too late to say anything"

    child.ask("run")
    assert child.end() == "exit 0"
    row = row_of(line)
    assert row.state == "promoted", row.reasons
    assert champion_of(line) != first
    assert one(line, "select count(*) from retrainings") == 1
    assert one(line, "select count(*) from model_versions") == 2
    assert one(line, "select count(*) from model_alias_events") == 2
    assert one(line, "select count(*) from frozen_articles") == row.metrics["articles"] == 72
    unread = "select count(*) from stories where id not in (select story_id from scores where model_version_id = :id)"
    assert one(line, unread, id=row.challenger_id) == 0
    assert not list((tmp_path / "home").rglob("*.partial"))


def test_an_adaptation_whose_texts_changed_after_a_kill_begins_again(tmp_path, tmp_path_factory):
    """An archive that was imported meanwhile; every further try was refused for the checkpoints of the first."""
    champion = make_champion(tmp_path_factory.mktemp("learner"))
    files = RunFiles(tmp_path / "run")
    (files.folder / "work_adapt").mkdir(parents=True)
    (files.folder / "work_adapt" / "settings.txt").write_text("of the texts before")
    texts = [f"acme rises {n}" for n in range(30)]
    told = adapt_encoder(files, texts, start=champion, base="", created_at="2026-01-31", device="cpu")
    assert told["texts"] == 30
    assert verify(files.adapted).settings["stage"] == "adapted"
    assert not (files.folder / "work_adapt").exists()
