"""The files at the top agree with each other: Makefile, requirements.lock, .ci/run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def test_every_target_has_a_line_of_help(project_root: Path) -> None:
    text = (project_root / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.+)$", text, re.M)[1].split())  # type: ignore[index]
    helped = subprocess.run(
        ["make", "help"], cwd=project_root, capture_output=True, text=True, check=True
    ).stdout
    assert targets == set(re.findall(r"^  make (\S+)  +\S", helped, re.M))
    assert {
        "demo",
        "test",
        "up",
        "down",
        "status",
        "bench",
        "lint",
        "desk",
        "demo-retrain",
        "lock",
        "help",
    } <= targets


def test_the_lock_leaves_torch_to_the_machine(project_root: Path) -> None:
    lock = (project_root / "requirements.lock").read_text()
    names = re.findall(r"^([a-z0-9][^=\s]*)==\S+$", lock, re.M)
    assert len(names) > 150
    assert not [name for name in names if re.match(r"torch$|nvidia|triton|cuda", name)]
    assert "file://" not in lock


def test_ci_runs_make_test(project_root: Path) -> None:
    script = project_root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
