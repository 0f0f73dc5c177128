"""Verdicts against labels: the table of calibration, its interval and its picture."""

from __future__ import annotations

import pytest

from pipeline.desk.pages.models import read_metrics
from pipeline.desk.reliability import counted_confusion, reliability
from pipeline.label.intervals import wilson


def row(label: str, verdict: str, tenth: int, stories: int, stated: float) -> dict[str, object]:
    return {
        "label": label,
        "verdict": verdict,
        "tenth": tenth,
        "stories": stories,
        "stated_sum": stories * stated,
    }


ROWS = [
    row("negative", "negative", 9, 90, 0.95),
    row("neutral", "negative", 9, 10, 0.95),
    row("positive", "positive", 5, 10, 0.55),
    row("neutral", "positive", 5, 10, 0.55),
]


def test_bins_hold_what_was_said_and_what_was_right() -> None:
    found = reliability(ROWS)
    assert found is not None
    low, high = found["bins"]
    assert (low["stories"], low["stated"], low["right"]) == (20, pytest.approx(0.55), 0.5)
    assert (high["stories"], high["stated"], high["right"]) == (100, pytest.approx(0.95), 0.9)
    assert low["low"] < 0.5 < low["high"]
    assert found["error"] == pytest.approx(0.05)
    first, second = found["picture"]["points"]
    assert first["x"] < second["x"]
    assert first["y"] > second["y"]  # more right is higher up
    assert first["radius"] < second["radius"]


def test_confusion_counts_labels_by_verdict() -> None:
    found = counted_confusion(ROWS)
    assert found is not None
    assert found["rows"] == [[90, 0, 0], [10, 0, 10], [0, 0, 10]]


def test_without_labels_there_is_nothing_to_show() -> None:
    assert reliability([]) is None
    assert counted_confusion([]) is None


def test_wilson_interval_of_known_shares() -> None:
    # Brown, Cai and DasGupta 2001: 0 of 10 gives [0, 0.278]
    assert wilson(0, 10) == (0.0, pytest.approx(0.278, abs=0.001))
    assert wilson(5, 10) == (pytest.approx(0.237, abs=0.001), pytest.approx(0.763, abs=0.001))


def test_figures_of_a_trained_manifest_are_found() -> None:
    trained = {
        "dev": {"sentiment_f1": 0.80, "sentiment_accuracy": 0.81, "mean_f1": 0.7},
        "train_seconds": 5.0,
    }
    assert (read_metrics(trained)["accuracy"], read_metrics(trained)["macro_f1"]) == (0.81, 0.80)
    stored = {"sentiment": {"accuracy": 0.85, "macro_f1": 0.84, "ece": 0.03}, "company": {"accuracy": 0.1}}
    found = read_metrics({**trained, "stored": stored, "behaviour": {"overall": 0.74, "kinds": {}}})
    assert (found["accuracy"], found["macro_f1"], found["calibration_error"]) == (0.85, 0.84, 0.03)
    assert found["behaviour"] == 0.74
    assert read_metrics("nonsense")["accuracy"] is None
