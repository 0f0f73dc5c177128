"""The speed of two models, measured in turn."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from pipeline.label.measure import SPEED_LEAST, SPEED_MOST, compare_speed


class Reader:
    """Takes so many seconds of processor time for whatever it reads; the first times longer by `late`."""

    device = SimpleNamespace(type="cpu")

    def __init__(self, seconds: float, late: float = 0.0, times: int = 0) -> None:
        self.seconds, self.late, self.times, self.turns = seconds, late, times, 0

    def predict(self, texts: list[str]) -> list[None]:
        end = time.process_time() + self.seconds + (self.late if self.turns < self.times else 0.0)
        self.turns += 1
        while time.process_time() < end:
            pass
        return [None] * len(texts)


def test_a_model_of_half_the_speed_is_told_so_after_every_turn() -> None:
    slow = Reader(0.02)
    before, now = compare_speed(Reader(0.01), slow, ["text"])
    assert now / before == pytest.approx(0.5, abs=0.1)
    assert slow.turns == SPEED_MOST


def test_models_of_one_speed_take_the_fewest_turns() -> None:
    reader = Reader(0.02)
    before, now = compare_speed(Reader(0.02), reader, ["text"])
    assert now / before == pytest.approx(1.0, abs=0.1)
    assert reader.turns == SPEED_LEAST


def test_a_slow_start_is_not_held_against_a_model() -> None:
    before, now = compare_speed(Reader(0.01), Reader(0.01, late=0.02, times=5), ["text"])
    assert now / before == pytest.approx(1.0, abs=0.15)
