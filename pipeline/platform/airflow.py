"""How Airflow is set up on one machine: folder, environment, login, metadata database, programs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pydantic import SecretStr

from pipeline.errors import PlatformError
from pipeline.platform.supervisor import Program
from pipeline.settings import PREFIX, Settings
from pipeline.store.migrate import current
from pipeline.store.server import HOST, Server

PROJECT = Path(__file__).resolve().parents[2]  # where dags/ is
DATABASE = "airflow"  # Airflow's own tables, beside ours in the embedded server
USER = "admin"
SCHEDULER_PATIENCE_S = 30  # it waits for running tasks; what is cut off is taken up again at the next start
POOLS = {
    "feeds": "Fetching: how many host shards at once",
    "gpu": "The model: scoring tasks at once",
    "training": "The model: trainings and re-scores of history at once",
}


def slots(settings: Settings) -> dict[str, int]:
    """How many tasks each pool runs at once."""
    return {"feeds": settings.ingest_shards, "gpu": settings.gpu_slots, "training": 1}


def parallelism(settings: Settings) -> int:
    """How many tasks run at once: what the pools let run, and one of those that need no pool (alerts, upkeep).

    With fewer, a full pool would take the place of another: fetches that of the scorer, a training that of both. The
    scheduler forks so many processes when it starts; an idle one shares its memory, a busy one takes 100 MB of its own.
    """
    return sum(slots(settings).values()) + 1


def folder(settings: Settings) -> Path:
    """AIRFLOW_HOME."""
    return settings.home / "airflow"


def is_ours(settings: Settings) -> bool:
    """Whether Airflow's tables lie in the embedded server: `migrate` leaves a note there, and nobody else does."""
    return (folder(settings) / "migrated").is_file()


def environment(
    settings: Settings, server: Server, port: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of every process of the live system. It holds secrets: hand it over, never print it."""
    home = folder(settings)
    address, tasks = f"http://{HOST}:{port}", parallelism(settings)
    airflow = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": PROJECT / "dags",
        "AIRFLOW__CORE__PLUGINS_FOLDER": PROJECT / "dags" / "plugins",
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": tasks,
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": tasks,  # default 16; the shards are one DAG's
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url(DATABASE),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__INSTANCE_NAME": "Undertow",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.3,  # default 1 s; ten chained tasks took half the time
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": 30,  # default 300 s: an edited DAG shows up sooner
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": 1,  # the files are few and small
    }
    ours = {**_exported(settings), "PYTHONPATH": PROJECT, "PYTHONUNBUFFERED": 1}
    kept = {name: value for name, value in inherited.items() if not name.startswith((PREFIX, "AIRFLOW__"))}
    return {**kept, **{name: str(value) for name, value in {**airflow, **ours}.items()}}


def password(settings: Settings) -> str:
    """The password of the user `admin`, made at the first call and kept in a file of mode 0600."""
    path = folder(settings) / "passwords.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({USER: secrets.token_urlsafe(12)}, file)
    try:
        return str(json.loads(path.read_text())[USER])
    except (OSError, ValueError, KeyError):
        raise PlatformError(
            f"{path} cannot be read", "delete it; a new password is made at the next start"
        ) from None


def migrate(server: Server, variables: Mapping[str, str]) -> bool:
    """Bring Airflow's metadata database to the installed version; True if there was something to do.

    Airflow's own check takes 3 s, so a note of version and revision spares it when nothing changed.
    """
    server.ensure_database(DATABASE)
    note = Path(variables["AIRFLOW_HOME"]) / "migrated"
    if note.exists() and note.read_text() == _present(server):
        return False
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=dict(variables),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o077,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
        raise PlatformError(f"`airflow db migrate` failed: {said[-1]}", "run `undertow doctor`")
    note.write_text(_present(server))
    return True


def programs(environment: Mapping[str, str]) -> list[Program]:
    """Airflow's four processes. The log servers stay off: they would listen on every interface."""
    run = [sys.executable, "-m", "airflow"]
    return [
        Program("api-server", [*run, "api-server"], priority=10),
        Program("dag-processor", [*run, "dag-processor"], priority=20),
        Program("scheduler", [*run, "scheduler", "--skip-serve-logs"], 30, SCHEDULER_PATIENCE_S),
        Program("triggerer", [*run, "triggerer", "--skip-serve-logs"], priority=40),
    ]


def _present(server: Server) -> str:
    """Installed version of Airflow and revision of its tables."""
    return f"{version('apache-airflow-core')} {current(server.url(DATABASE))}"


def _exported(settings: Settings) -> dict[str, str]:
    """Every setting that was given, and all paths, as variables: tasks run in another folder and find no .env."""
    paths = {"home", "feeds_file", "companies_file", "alerts_file"}
    named = {name: getattr(settings, name) for name in settings.model_fields_set | paths}
    return {PREFIX + name.upper(): _text(value) for name, value in named.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)
