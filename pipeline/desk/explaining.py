"""Which words made a verdict: asked of a process that holds the model, remembered, and drawn as marks.

A process of its own, because the desk may live inside Airflow's: reading the model there would hold its interpreter
for seconds and half a gigabyte for good. Nothing starts before somebody asks.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ModelUnavailable

# Characters explained: each word costs a reading, and a model reads 256 tokens at most.
LONGEST_TEXT = 1_200
# Seconds for one answer, the first with the model's start: it took 4 s on an idle core, 0.5 s after that.
DEADLINE_S = 60.0
REMEMBERED = 500
# A word is marked from this share of the strongest one's pull; half and three quarters of it are marked stronger.
LEAST_SHARE = 0.15

Spans = tuple[tuple[int, int], ...]  # where a company stands in a text, [start, end) each
Pull = tuple[int, int, float]  # [start, end) in the text, and what the word adds to the score


class CannotExplain(ModelUnavailable):
    """The words of a verdict cannot be had now."""


class Explainer:
    """Asks one worker at a time; several threads may ask, one after the other. `model` is a directory, None the starter."""

    def __init__(
        self, command: Sequence[str] = (sys.executable, "-m", "pipeline.desk.explain_worker")
    ) -> None:
        self._command = list(command)
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._model: Path | None = None
        self._known: OrderedDict[tuple[Path | None, str, Spans | None], list[Pull]] = OrderedDict()

    def explain(self, model: Path | None, text: str, spans: Spans | None) -> list[Pull]:
        """The pull of each word of the text's first LONGEST_TEXT characters on the score of the story, or with `spans`,
        of the company that stands there. Raises CannotExplain."""
        text = text[:LONGEST_TEXT]
        if spans is not None:
            spans = tuple((start, end) for start, end in spans if end <= LONGEST_TEXT)
        if spans == ():
            raise CannotExplain(
                f"the company stands only beyond the first {LONGEST_TEXT:,} characters", "look at its verdict"
            )
        key = (model, text, spans)
        if key in self._known:
            return self._known[key]
        if not self._lock.acquire(timeout=DEADLINE_S):
            raise CannotExplain("others are asking for words as well", "try again in a minute")
        try:
            said = self._ask(model, {"text": text, "spans": spans})
        finally:
            self._lock.release()
        if "error" in said:
            raise CannotExplain(
                f"the words cannot be told: {said['error']}", "look at the story's own verdict"
            )
        pulls = [(int(start), int(end), float(pull)) for start, end, pull in said["words"]]
        self._known[key] = pulls
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return pulls

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def _ask(self, model: Path | None, question: dict[str, Any]) -> dict[str, Any]:
        worker = self._running(model)
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            worker.stdin.write(json.dumps(question).encode() + b"\n")
            worker.stdin.flush()
            if select.select([worker.stdout], [], [], DEADLINE_S)[0] and (line := worker.stdout.readline()):
                answer: dict[str, Any] = json.loads(line)
                return answer
        except BrokenPipeError:
            pass
        self.close()  # it hangs, or died over this text
        raise CannotExplain("the model gave no answer", "try again; the desk's log may say why")

    def _running(self, model: Path | None) -> subprocess.Popen[bytes]:
        if self._worker is not None and (self._worker.poll() is not None or self._model != model):
            self.close()
        if self._worker is None:
            self._worker = subprocess.Popen(
                [*self._command, *([str(model)] if model else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            self._model = model
        return self._worker


def parts_of(text: str, pulls: Sequence[Pull]) -> list[dict[str, Any]]:
    """The text cut where words are marked: each part with its `toward` (negative, positive or nothing) and `strength` 1 to 3."""
    strongest = max((abs(pull) for _, _, pull in pulls), default=0.0)
    parts, place = [], 0
    for start, end, pull in sorted(pulls):
        share = abs(pull) / strongest if strongest else 0.0
        if share < LEAST_SHARE or start < place:
            continue
        parts.append({"text": text[place:start], "toward": "", "strength": 0, "pull": 0.0})
        toward = "negative" if pull < 0 else "positive"
        parts.append(
            {
                "text": text[start:end],
                "toward": toward,
                "strength": 1 + (share >= 0.4) + (share >= 0.75),
                "pull": pull,
            }
        )
        place = end
    return [*parts, {"text": text[place:], "toward": "", "strength": 0, "pull": 0.0}]
