"""What a run tells transformers' Trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import ModelError
from model.hardware import pick_device
from model.training import TrainConfig, arguments


def test_a_machine_without_a_gpu_is_told_to_the_trainer(tmp_path: Path) -> None:
    # bf16 on a CPU is refused by transformers unless it is told that the CPU is meant
    found = pick_device("auto").type
    assert arguments(TrainConfig(tracking=()), tmp_path).use_cpu == (found == "cpu")
    assert arguments(TrainConfig(tracking=(), precision="bf16"), tmp_path, "cpu").use_cpu


@pytest.mark.parametrize("name", ["foo", "", "cuda:one"])
def test_a_device_that_is_none_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ModelError, match="is no device; use auto, cpu"):
        pick_device(name)
