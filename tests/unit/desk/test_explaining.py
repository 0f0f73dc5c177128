"""The words behind a verdict: how marks are cut, and how the process that knows them is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.desk.explaining import CannotExplain, Explainer, parts_of

# Answers like the real worker, without a model: the first word pulls down; some words make it fail in its ways.
WORKER = """
import json, os, sys
print("started", len(sys.argv), file=open(os.environ["STARTS"], "a"))
for line in sys.stdin:
    asked = json.loads(line)
    if "die" in asked["text"]:
        sys.exit(1)
    if "refuse" in asked["text"] or asked["spans"] == []:
        answer = {"error": "no text"}
    else:
        answer = {"words": [[0, len(asked["text"].split()[0]), -0.5]]}
    print(json.dumps(answer), flush=True)
"""

Make = Callable[[], Explainer]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    made: list[Explainer] = []

    def explainer() -> Explainer:
        made.append(Explainer((sys.executable, "-c", WORKER)))
        return made[-1]

    yield explainer
    for one in made:
        one.close()


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "starts").read_text().splitlines())


def test_nothing_starts_before_a_question_and_answers_are_remembered(make: Make, tmp_path: Path) -> None:
    explainer = make()
    assert not (tmp_path / "starts").exists()
    assert explainer.explain(None, "Slump at Acme", None) == [(0, 5, -0.5)]
    assert explainer.explain(None, "Slump at Acme", None) == [(0, 5, -0.5)]
    assert explainer.explain(None, "Fire at Acme", ((8, 12),)) == [(0, 4, -0.5)]
    assert starts(tmp_path) == 1


def test_another_model_is_another_process(make: Make, tmp_path: Path) -> None:
    explainer = make()
    explainer.explain(None, "Slump", None)
    explainer.explain(tmp_path, "Slump", None)
    assert starts(tmp_path) == 2


def test_a_worker_that_dies_is_replaced(make: Make, tmp_path: Path) -> None:
    explainer = make()
    with pytest.raises(CannotExplain, match="no answer"):
        explainer.explain(None, "die now", None)
    assert explainer.explain(None, "Slump", None) == [(0, 5, -0.5)]
    assert starts(tmp_path) == 2


def test_what_cannot_be_explained_is_said_and_not_remembered(make: Make) -> None:
    explainer = make()
    for _ in range(2):
        with pytest.raises(CannotExplain, match="no text"):
            explainer.explain(None, "refuse", None)


def test_long_texts_are_cut(make: Make) -> None:
    assert make().explain(None, "x" * 5000, None) == [(0, 1200, -0.5)]


def test_a_company_beyond_the_cut_is_not_explained_as_the_story(make: Make) -> None:
    explainer = make()
    assert explainer.explain(None, "x" * 5000, ((0, 4), (1300, 1304))) == [(0, 1200, -0.5)]
    with pytest.raises(CannotExplain, match="stands only beyond the first 1,200 characters"):
        explainer.explain(None, "x" * 5000, ((1300, 1304),))


def test_parts_keep_the_text_and_mark_strong_words() -> None:
    text = "Profit slumps, dividend raised a bit"
    pulls = [(0, 6, 0.01), (7, 13, -0.8), (15, 23, 0.14), (24, 30, 0.4)]
    parts = parts_of(text, pulls)
    assert "".join(part["text"] for part in parts) == text
    assert [(p["text"], p["toward"], p["strength"]) for p in parts if p["toward"]] == [
        ("slumps", "negative", 3),
        ("dividend", "positive", 1),
        ("raised", "positive", 2),
    ]


def test_parts_without_any_pull() -> None:
    assert [part["text"] for part in parts_of("Nothing", [(0, 7, 0.0)])] == ["Nothing"]
    assert parts_of("", []) == [{"text": "", "toward": "", "strength": 0, "pull": 0.0}]
