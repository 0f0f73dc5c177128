"""What Airflow keeps of its own runs: nobody else deletes it, and at 3,500 tasks a day it would be all that the disk holds.

Each task leaves a log file in two folders of its own (12 kB) and some ten rows, so a year left 15 GB and millions of files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.errors import PlatformError
from pipeline.platform import airflow
from pipeline.run import now
from pipeline.settings import load_settings
from pipeline.store.server import embedded

# Long enough to look into what went wrong last week, and longer than a promotion waits for its yes (7 days).
KEEP = timedelta(days=30)
# Those that grow with runs and restarts. Not `dag` and `dag_version`: after a month of sleep none has been parsed lately.
TABLES = (
    "asset_event", "callback", "dag_run", "deadline", "import_error", "job", "log", "task_instance",
    "task_instance_history", "task_reschedule", "trigger", "xcom",
)  # fmt: skip


def forget_runs(as_of: datetime | None = None) -> dict[str, Any]:
    """Deletes logs and rows of runs older than KEEP; how many log files, and whether it looked after the rows.

    The rows are looked after where Airflow's tables lie in the embedded server; elsewhere their administrator does that
    (docker-compose.yml says how): Airflow lets no task at its database.
    """
    settings, before = load_settings(), (as_of or now()) - KEEP
    home = os.environ.get("AIRFLOW_HOME")
    files = delete_older(Path(home) / "logs", before) if home else 0
    ours = airflow.is_ours(settings)
    if ours:
        server = embedded(settings).start()
        _clean(airflow.environment(settings, server, settings.airflow_port, os.environ), before)
    return {"files": files, "rows": ours}


def delete_older(folder: Path, before: datetime) -> int:
    """Deletes files last written before then, and folders that were as old and are empty now; returns how many files."""
    oldest, deleted = before.timestamp(), 0
    # read from the top and worked off from the bottom: what is deleted in a folder makes it young
    found = [(path, os.stat(path).st_mtime, names) for path, _, names in os.walk(folder)]
    for path, written, names in reversed(found):
        deleted += sum(_delete(os.path.join(path, name), oldest) for name in names)
        if written < oldest and path != str(folder):
            with suppress(OSError):  # something young is in it
                os.rmdir(path)
    return deleted


def _delete(path: str, oldest: float) -> bool:
    try:
        old = os.lstat(path).st_mtime < oldest
        if old:
            os.unlink(path)
    except FileNotFoundError:  # rotated meanwhile
        return False
    return old


def _clean(variables: Mapping[str, str], before: datetime) -> None:
    command = ["db", "clean", "--clean-before-timestamp", before.isoformat(), "--tables", ",".join(TABLES)]
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *command, "--skip-archive", "--yes", "--error-on-cleanup-failure"],
        env={name: value for name, value in variables.items() if not name.startswith("_AIRFLOW_")},
        cwd=airflow.PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
        raise PlatformError(f"`airflow db clean` failed: {said[-1]}", "run `undertow doctor`")
