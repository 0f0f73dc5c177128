"""A scoring process for test_score_processes: `python score_worker.py URL MODEL_ID LOG`.

Its classifier writes the stories it is given to LOG before it answers, and waits in its second batch until LOG.go
exists. At the end it prints how many dead batches it found.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from pipeline.score.step import Work, score_waiting
from pipeline.store.engine import create_engine
from pipeline.types import Probabilities


class LoggingClassifier:
    languages = ("en",)

    def __init__(self, log: Path) -> None:
        self.log, self.go, self.batches = log, log.with_suffix(".go"), 0

    def __call__(self, stories):
        self.batches += 1
        with self.log.open("a") as log:
            log.write("".join(f"{os.getpid()} {self.batches} {story.story_id}\n" for story in stories))
        while self.batches == 2 and not self.go.exists():
            time.sleep(0.01)
        verdict = SimpleNamespace(
            sentiment=Probabilities(0.1, 0.8, 0.1), companies={}, topics={"markets": 0.9}
        )
        return [verdict] * len(stories)


def main(url: str, model_id: str, log: str) -> None:
    report = score_waiting(
        create_engine(url),
        LoggingClassifier(Path(log)),
        Work(int(model_id)),
        clock=lambda: datetime.now(UTC),
        limit=10_000,
        batch_stories=7,
    )
    print(report.recovered)


if __name__ == "__main__":
    main(*sys.argv[1:])
