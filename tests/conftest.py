"""Fixtures of every test: a clean environment and a home of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A developer's own settings must not decide a test; before anything reads them.
for name in [name for name in os.environ if name.startswith(("UNDERTOW_", "AIRFLOW"))]:
    del os.environ[name]

# Airflow reads its configuration when it is imported, once for the whole session.
_airflow_home = tempfile.mkdtemp(prefix="undertow-airflow-")
atexit.register(shutil.rmtree, _airflow_home, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=_airflow_home,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "dags" / "plugins"),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_airflow_home}/airflow.db",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    UNDERTOW_AIRFLOW_RETRY_DELAY_S="0",  # dag.test() really sleeps between tries
)
sys.path.insert(0, str(ROOT / "dags"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's .env or writes to the developer's .undertow."""
    monkeypatch.setenv("UNDERTOW_HOME", str(tmp_path / "undertow-home"))
