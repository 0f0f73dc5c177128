"""The live system as one thing: up, down, and what runs."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import PlatformError, PortTaken
from pipeline.platform import airflow, rest
from pipeline.platform.rest import AirflowClient
from pipeline.platform.supervisor import Program, State, Supervisor
from pipeline.settings import Settings
from pipeline.store import migrate, server

# Airflow was healthy after 12-15 s on two idle cores, 36 s on busy ones.
HEALTHY_TIMEOUT_S = 240.0
PORTS_TO_TRY = 50  # past the usual one, when it is taken and nobody asked for it

Say = Callable[[str], None]


@dataclass(frozen=True)
class Addresses:
    """Where the live system listens, all on loopback; kept in a file while it runs."""

    airflow_port: int
    desk_port: int | None

    @property
    def airflow_url(self) -> str:
        """Airflow's web pages and REST API."""
        return f"http://{server.HOST}:{self.airflow_port}"

    @property
    def desk_url(self) -> str | None:
        """The analysts' pages; None when the desk was not started."""
        return f"http://{server.HOST}:{self.desk_port}" if self.desk_port else None


class Services:
    """The live system of one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.home / "services"
        self.supervisor = Supervisor(self.folder)
        self.server = server.embedded(settings)

    def up(self, say: Say, *, desk: bool = True) -> Addresses:
        """Start everything and wait until it is healthy; what runs already is left alone.

        Raises PortTaken, ServerError, PlatformError; what was started before the error is stopped again.
        """
        with self._lock():
            if self.supervisor.running() and (addresses := self.addresses()):
                self._finish(say, addresses)  # an `up` that was killed left it half done
                return addresses
            self._prepare(say)
            addresses = self._choose_ports(desk)
            environment = self._environment(addresses)
            airflow.password(self.settings)
            say("Airflow: preparing its tables")
            airflow.migrate(self.server, environment)
            self._note(addresses)  # before anything runs: without it, what runs is found by nobody
            self.supervisor.start(self._programs(addresses, environment), environment, airflow.PROJECT)
            try:
                self._finish(say, addresses)
            except BaseException:  # a Ctrl-C too: half a system is of no use
                self.supervisor.stop()
                raise
            return addresses

    def down(self) -> bool:
        """Stop everything, Postgres last; True if anything was running."""
        was_running = self.supervisor.running() or self.server.pid() is not None
        self.supervisor.stop()
        self.server.stop()
        return was_running

    def states(self) -> list[State]:
        """State of each supervised process; empty when the system is down."""
        return self.supervisor.states()

    def addresses(self) -> Addresses | None:
        """Where it listens, or did when it last ran; None if it never did."""
        try:
            return Addresses(**json.loads((self.folder / "addresses.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def client(self) -> AirflowClient:
        """A client of the running Airflow. Raises PlatformError if it is down."""
        addresses = self.addresses()
        if addresses is None or not self.supervisor.running():
            raise PlatformError("the live system is not running", "start it with `make up`")
        return AirflowClient(addresses.airflow_url, airflow.USER, airflow.password(self.settings))

    # how it is done

    def _prepare(self, say: Say) -> None:
        say("Postgres: starting")
        url = server.database_url(self.settings)
        self.server.start()  # Airflow's tables are here, wherever ours are
        report = migrate.upgrade(url)
        say(f"Postgres: schema {report.after}{'' if report.changed else ', nothing to migrate'}")

    def _note(self, addresses: Addresses) -> None:
        try:
            (self.folder / "addresses.json").write_text(json.dumps(asdict(addresses)))
        except OSError as error:
            raise PlatformError(
                f"cannot write to {self.folder} ({error.strerror})", "make room there, or set UNDERTOW_HOME"
            ) from None

    def _finish(self, say: Say, addresses: Addresses) -> None:
        self._await_health(say, addresses)
        self._make_pools()

    def _choose_ports(self, desk: bool) -> Addresses:
        given = self.settings.model_fields_set
        airflow_port = _free_port(self.settings.airflow_port, "airflow_port" in given)
        desk_port = _free_port(self.settings.desk_port, "desk_port" in given) if desk else None
        return Addresses(airflow_port, desk_port)

    def _environment(self, addresses: Addresses) -> dict[str, str]:
        told = self._told(addresses)
        return airflow.environment(told, self.server, addresses.airflow_port, os.environ)

    def _told(self, addresses: Addresses) -> Settings:
        """The settings that the processes get: the desk's real port, and links in messages that lead there."""
        if addresses.desk_port is None:
            return self.settings
        update: dict[str, object] = {"desk_port": addresses.desk_port}
        if "desk_url" not in self.settings.model_fields_set:
            update["desk_url"] = addresses.desk_url
        return self.settings.model_copy(update=update)

    def _programs(self, addresses: Addresses, environment: dict[str, str]) -> list[Program]:
        keeper = [sys.executable, "-m", "pipeline.platform.keeper", str(self.server.home)]
        programs = [Program("postgres-keeper", keeper, priority=1), *airflow.programs(environment)]
        if addresses.desk_port:
            undertow = str(Path(sys.executable).with_name("undertow"))
            programs.append(Program("desk", [undertow, "desk"], priority=50))
        return programs

    def _await_health(self, say: Say, addresses: Addresses) -> None:
        client, told = self.client(), ""
        deadline = time.monotonic() + HEALTHY_TIMEOUT_S
        while time.monotonic() < deadline:
            dead = [state for state in self.states() if state.state == "FATAL"]
            if dead:
                raise PlatformError(f"{dead[0].name} does not start", f"see {dead[0].log}")
            if (waiting := self._waiting_for(client, addresses)) is None:
                return
            if waiting != told:
                say(waiting)
                told = waiting
            time.sleep(0.5)
        raise PlatformError(f"not healthy after {HEALTHY_TIMEOUT_S:.0f} s; {told}", f"see {self.folder}")

    def _waiting_for(self, client: AirflowClient, addresses: Addresses) -> str | None:
        """What is not there yet, in words; None once everything is."""
        health = client.health()
        ill = sorted(name for name, status in health.items() if status not in ("healthy", "None"))
        if ill or not health:
            return f"Airflow: waiting for {', '.join(ill) or 'its web server'}"
        desk = _health_url(self.settings.desk_host, addresses.desk_port) if addresses.desk_port else None
        if desk and not rest.answers(desk):
            return f"desk: waiting for it, see {self.folder / 'desk.log'}"
        return None

    def _make_pools(self) -> None:
        client, slots = self.client(), airflow.slots(self.settings)
        for name, description in airflow.POOLS.items():
            client.ensure_pool(name, slots[name], description)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.folder / ".lock").open("w")
        except OSError as error:
            raise PlatformError(
                f"cannot write to {self.folder} ({error.strerror})", "set UNDERTOW_HOME"
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlatformError("another `undertow up` is starting the system", "wait for it") from None
            yield


def _health_url(host: str, port: int) -> str:
    """Where this machine asks a desk that listens on `host`: on loopback, if it listens everywhere."""
    host = {"0.0.0.0": server.HOST, "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/health"


def _free_port(wanted: int, chosen: bool) -> int:
    """`wanted`, or the next free port if nobody chose it. Raises PortTaken."""
    for port in range(wanted, min(wanted + (1 if chosen else PORTS_TO_TRY), 65536)):
        if server.port_is_free(port):
            return port
    raise PortTaken(
        f"port {wanted} is taken", "free it, or set another one (UNDERTOW_AIRFLOW_PORT, UNDERTOW_DESK_PORT)"
    )
