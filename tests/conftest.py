"""Fixtures of every test: a clean environment and a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# A developer's own settings must not decide a test; before anything reads them.
for name in [name for name in os.environ if name.startswith(("UNDERTOW_", "AIRFLOW"))]:
    del os.environ[name]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's .env or writes to the developer's .undertow."""
    monkeypatch.setenv("UNDERTOW_HOME", str(tmp_path / "undertow-home"))
