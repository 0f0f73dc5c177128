"""What runs, and when each DAG last succeeded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pipeline.errors import PlatformError
from pipeline.platform.rest import AirflowClient, Run
from pipeline.platform.services import Services
from pipeline.settings import Settings


@dataclass
class Status:
    """Rows for people and programs. `well`: everything runs, and no DAG's newest run failed."""

    home: str
    well: bool = True
    processes: list[tuple[str, str, str]] = field(default_factory=list)  # name, state, since
    dags: list[tuple[str, datetime | None, str]] = field(default_factory=list)  # id, last success, newest run
    notes: list[str] = field(default_factory=list)
    addresses: dict[str, str | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def look(settings: Settings) -> Status:
    """Look at the live system of this home; a part that does not answer becomes a note."""
    services, found = Services(settings), Status(str(settings.home))
    _see_processes(services, found)
    if not services.supervisor.running():
        found.well = False
        return found
    if addresses := services.addresses():
        found.addresses = {"airflow": addresses.airflow_url, "desk": addresses.desk_url}
        found.notes += [f"{name}: {address}" for name, address in found.addresses.items() if address]
    try:
        _see_dags(services.client(), found)
    except PlatformError as error:
        found.well = False
        found.notes.append(str(error))
    return found


def _see_processes(services: Services, found: Status) -> None:
    states = services.states()
    pid = services.server.pid()
    if states or pid:
        found.processes.append(("postgres", "RUNNING" if pid else "DOWN", f"pid {pid}" if pid else "-"))
        found.well = pid is not None
    for state in states:
        found.processes.append((state.name, state.state, state.detail))
        found.well = found.well and state.state == "RUNNING"


def _see_dags(client: AirflowClient, found: Status) -> None:
    for dag_id, paused in sorted(client.dags().items()):
        newest, succeeded = _first(client.runs(dag_id)), _first(client.runs(dag_id, "success"))
        state = "paused" if paused else newest.state if newest else "never ran"
        found.dags.append((dag_id, succeeded.ended_at if succeeded else None, state))
        found.well = found.well and state != "failed"
    for file, error in client.import_errors().items():
        found.well = False
        found.notes.append(f"{file} does not import: {error}")


def _first(runs: list[Run]) -> Run | None:
    return runs[0] if runs else None
