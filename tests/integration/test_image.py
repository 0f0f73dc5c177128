"""The image of docker-compose.yml: what it installs can be installed. Asks the package index, skipped without one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_what_the_image_adds_fits_the_lock(project_root: Path, tmp_path: Path) -> None:
    """flask-appbuilder wants an older python-dateutil than the lock has: the image could not be built."""
    dockerfile = (project_root / "Dockerfile").read_text()
    added = re.findall(r'"([a-z][a-z\[\]-]+==[\d.]+)"', dockerfile.partition("-r requirements.lock")[2])
    assert len(added) == 3
    overrides = re.findall(r'echo "(\S+==\S+)" >', dockerfile)
    (tmp_path / "overrides.txt").write_text("\n".join(overrides))
    (tmp_path / "all.txt").write_text("\n".join([(project_root / "requirements.lock").read_text(), *added]))
    resolve = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--python-version", "3.11"]
    command = [*resolve, "--override", "overrides.txt", "all.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if done.returncode and "No solution found" not in done.stderr:
        pytest.skip(f"no package index was reached: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
