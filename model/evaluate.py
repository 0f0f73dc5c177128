"""Judge a stored model honestly: through the same door that scores news, with intervals, slices and paired tests."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.behave import Behaviour, Case, complaint, pass_rates
from model.data import read_rows
from model.errors import DataError
from model.example import Example
from model.inference import Classifier
from model.labels import SENTIMENTS, TOPICS
from model.metrics import (
    Floats,
    Ints,
    bootstrap,
    calibration_bins,
    calibration_noise,
    class_report,
    confusion,
    expected_calibration_error,
    macro_f1,
    paired_test,
)
from model.verdict import Mentioned, TextInput, Verdict

SUITE: Final = Path(__file__).parent / "behaviour"
#: Upper ends of the slices by length, in words: a tweet's half, a headline, a headline with a summary, more.
LENGTHS: Final = (8, 16, 32)
_CLASSES: Final = {
    "sentiment": SENTIMENTS,
    "company": SENTIMENTS,
    "company_mixed": SENTIMENTS,
    "topics": TOPICS,
}


@dataclass(frozen=True)
class Judged:
    """Rows of one head: true class, probabilities, and what each row belongs to (source, length, topic)."""

    truth: Ints
    probabilities: Floats
    source: list[str]
    length: list[str]
    topic: list[str]

    @property
    def said(self) -> Ints:
        return np.asarray(self.probabilities.argmax(-1), dtype=np.int64)


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one model on one set of examples; plain values that JSON holds."""

    version: str
    examples: int
    failures: int
    data_sha256: str
    heads: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def evaluate(model_dir: Path | Classifier, examples: Sequence[Example], *, rounds: int = 1000) -> Evaluation:
    """Reports per head: classes, averages, confusion, calibration, bootstrap intervals, slices.

    A text the model failed on counts as wrong with no confidence. Raises DataError when nothing is labelled.
    """
    classifier = _loaded(model_dir)
    heads, failures = judge(classifier, examples)
    if not heads:
        raise DataError("none of the examples has a label; nothing to evaluate on")
    return Evaluation(
        version=classifier.version,
        examples=len(examples),
        failures=failures,
        data_sha256=digest_of(examples),
        heads={head: report_head(rows, _CLASSES[head], rounds) for head, rows in heads.items()},
    )


def digest_of(examples: Sequence[Example]) -> str:
    """SHA-256 over texts and labels in order: figures are only comparable on the same data."""
    seen = hashlib.sha256()
    for e in examples:
        seen.update(repr((e.text, e.sentiment, e.companies, e.topics)).encode())
    return seen.hexdigest()


def report_head(rows: Judged, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """Everything about one head, with slices by source, length and topic."""
    truth, said, n = rows.truth, rows.said, len(names)
    f1: Callable[[Ints], float] = lambda i: macro_f1(truth[i], said[i], n)  # noqa: E731
    accuracy: Callable[[Ints], float] = lambda i: float((truth[i] == said[i]).mean())  # noqa: E731
    return {
        **class_report(confusion(truth, said, n), names),
        "labels": list(names),
        "ece": expected_calibration_error(rows.probabilities, truth),
        "ece_by_chance": calibration_noise(rows.probabilities, truth),
        "bins": calibration_bins(rows.probabilities, truth),
        "accuracy_interval": bootstrap(accuracy, len(truth), rounds=rounds),
        "macro_f1_interval": bootstrap(f1, len(truth), rounds=rounds),
        "slices": {kind: _slices(rows, getattr(rows, kind), n) for kind in ("source", "length", "topic")},
    }


def _slices(rows: Judged, keys: Sequence[str], classes: int) -> dict[str, dict[str, float]]:
    out = {}
    for key in sorted(set(keys) - {""}):
        here = np.array([k == key for k in keys])
        truth, said = rows.truth[here], rows.said[here]
        out[key] = {
            "n": int(here.sum()),
            "accuracy": float((truth == said).mean()),
            "macro_f1": macro_f1(truth, said, classes),
            "ece": expected_calibration_error(rows.probabilities[here], truth),
            "ece_by_chance": calibration_noise(rows.probabilities[here], truth),
        }
    return out


def judge(classifier: Classifier, examples: Sequence[Example]) -> tuple[dict[str, Judged], int]:
    """(rows per head that has labels, texts failed on)."""
    inputs = [TextInput(e.text, [Mentioned(c.name, c.spans) for c in e.companies]) for e in examples]
    verdicts = classifier.predict(inputs)
    rows: dict[str, list[_Row]] = {head: [] for head in _CLASSES}
    for example, answer in zip(examples, verdicts, strict=True):
        verdict = answer if isinstance(answer, Verdict) else None
        if example.sentiment:
            said = verdict.sentiment if verdict else None
            rows["sentiment"].append(_sentiment_row(example.sentiment, said, example))
        mixed = len({c.sentiment for c in example.companies if c.sentiment}) > 1
        for company in example.companies:
            if company.sentiment:
                said = verdict.companies[company.name] if verdict else None
                row = _sentiment_row(company.sentiment, said, example)
                rows["company"].append(row)
                rows["company_mixed"] += [row] if mixed else []
        if example.topics:
            rows["topics"].append(_topic_row(example, verdict))
    failures = sum(not isinstance(v, Verdict) for v in verdicts)
    return {head: _stack(r) for head, r in rows.items() if r}, failures


#: True class, probabilities, and the example they are of.
_Row = tuple[int, Sequence[float], Example]


def _sentiment_row(label: str, said: Sequence[float] | None, example: Example) -> _Row:
    truth = SENTIMENTS.index(label)
    return truth, said or _wrong(truth, len(SENTIMENTS)), example


def _topic_row(example: Example, verdict: Verdict | None) -> _Row:
    """The likeliest topic counts as right when it is any of the example's."""
    if verdict is None:
        truth = TOPICS.index(example.topics[0])
        return truth, _wrong(truth, len(TOPICS)), example
    said = tuple(verdict.topics.values())
    best = TOPICS[int(np.argmax(said))]
    return TOPICS.index(best if best in example.topics else example.topics[0]), said, example


def _wrong(truth: int, classes: int) -> tuple[float, ...]:
    """Barely another class than `truth`: no answer at all would have the first class for its likeliest."""
    other = (truth + 1) % classes
    return tuple(0.99 / classes + 0.01 * (c == other) for c in range(classes))


def _stack(rows: Sequence[_Row]) -> Judged:
    return Judged(
        truth=np.array([t for t, _, _ in rows], dtype=np.int64),
        probabilities=np.array([p for _, p, _ in rows], dtype=np.float64),
        source=[e.source for _, _, e in rows],
        length=[length_slice(e.text) for _, _, e in rows],
        topic=[e.topics[0] if e.topics else "" for _, _, e in rows],
    )


def length_slice(text: str) -> str:
    """The slice a text belongs to by its number of words."""
    n = len(text.split())
    for low, high in zip((0, *LENGTHS), LENGTHS, strict=False):
        if n <= high:
            return f"{low + 1:02d}-{high:02d} words"
    return f"over {LENGTHS[-1]} words"


def compare(
    a: Path | Classifier, b: Path | Classifier, examples: Sequence[Example]
) -> dict[str, dict[str, float]]:
    """Is b better than a on the same examples? Per head: change in accuracy and macro F1, interval, McNemar's p."""
    of_a, _ = judge(_loaded(a), examples)
    of_b, _ = judge(_loaded(b), examples)
    # A topic row's truth depends on what was said where an example has several, so each model has its own.
    return {
        head: paired_test(rows.truth, rows.said, of_b[head].said, truth_of_b=of_b[head].truth)
        for head, rows in of_a.items()
    }


def load_suite(folder: Path = SUITE) -> list[Case]:
    """The cases of the behavioural suite, in order of file and line."""
    cases = []
    for path in sorted(folder.glob("*.jsonl")):
        for row in read_rows(path):
            expect, never = row.get("expect", {}), row.get("not", {})
            cases.append(Case(row["id"], path.stem, row["text"], expect, never, row.get("same_as", "")))
    return cases


def suite_digest(folder: Path = SUITE) -> str:
    """SHA-256 over the suite's files: floors hold for one suite only."""
    seen = hashlib.sha256()
    for path in sorted(folder.glob("*.jsonl")):
        seen.update(path.read_bytes())
    return seen.hexdigest()


def behave(model_dir: Path | Classifier, folder: Path = SUITE) -> Behaviour:
    """Pass rates of the behavioural suite per kind, with each failed case and what was said."""
    classifier, cases = _loaded(model_dir), load_suite(folder)
    inputs = [case.inputs() for case in cases]
    verdicts = iter(classifier.predict([i for case in inputs for i in case]))
    complaints = [complaint(c, [next(verdicts) for _ in i]) for c, i in zip(cases, inputs, strict=True)]
    return pass_rates(cases, complaints)


def _loaded(model: Path | Classifier) -> Classifier:
    return Classifier.load(model) if isinstance(model, Path) else model
