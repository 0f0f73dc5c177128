"""The process that says which words made a verdict: `python -m pipeline.desk.explain_worker [DIRECTORY]`.

One JSON object a line on standard input, {"text", "spans"}; one a line back, {"words": [[start, end, pull], ...]} or
{"error"}. It ends when its input ends, or after IDLE_S without a question: the model takes half a gigabyte.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

IDLE_S = 600
NICENESS = 5  # whoever reads news comes before whoever asks why


def main(path: str | None) -> None:
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not corrupt the answers
    from model.inference import Classifier

    classifier = Classifier.load(path, device="cpu")
    while select.select([sys.stdin], [], [], IDLE_S)[0] and (line := sys.stdin.readline()):
        answers.write(json.dumps(answer(classifier, json.loads(line))) + "\n")
        answers.flush()


def answer(classifier: Any, question: dict[str, Any]) -> dict[str, Any]:
    """The pull of each word on the score of the story, or where there are spans, of the company that stands there."""
    from model.errors import ModelError
    from model.verdict import Mentioned

    spans = question["spans"]
    asked = None if spans is None else Mentioned("the company", tuple((start, end) for start, end in spans))
    try:
        pulls = classifier.explain(question["text"], asked)
    except ModelError as error:
        return {"error": str(error)}
    return {"words": [[pull.start, pull.end, round(float(pull.contribution), 4)] for pull in pulls]}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
