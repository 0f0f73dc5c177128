"""Keeping processes alive with PyPI's `supervisor`: its configuration, start, stop and state.

Everything lives in one folder: supervisord.conf, a socket, the pid file and one log file per program. Secrets never
reach the configuration: programs inherit the environment that supervisord is started with.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Error as RpcError
from xmlrpc.client import ServerProxy

import psutil

from pipeline.errors import PlatformError

SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 107, supervisord appends its pid while it makes the socket
START_TIMEOUT_S = 10.0  # the daemon answers after 0.3 s; ten on a loaded machine
ORPHANS_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 90.0  # longer than every program's own patience below


@dataclass(frozen=True)
class Program:
    """One process to keep alive. `patience_s`: how long a stop waits before it kills."""

    name: str
    command: Sequence[str]
    priority: int = 100
    patience_s: int = 10


@dataclass(frozen=True)
class State:
    """What supervisord says of one program: RUNNING, STARTING, BACKOFF, FATAL, STOPPED ... and since when."""

    name: str
    state: str
    pid: int
    detail: str
    log: Path


class Supervisor:
    """The supervisord of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.configuration = self.folder / "supervisord.conf"
        self.socket = _socket_path(self.folder)

    def running(self) -> bool:
        """True if the daemon answers."""
        try:
            self._rpc().getState()
        except (OSError, RpcError):
            return False
        return True

    def start(self, programs: Sequence[Program], environment: Mapping[str, str], directory: Path) -> None:
        """Start the daemon with these programs, which inherit `environment` and work in `directory`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_orphans()
        self.configuration.write_text(self.render(programs, directory))
        self.socket.unlink(missing_ok=True)  # a killed daemon leaves it
        with (self.folder / "supervisord.out").open("w") as output:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self.configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,  # a Ctrl-C of the terminal is for `up`, which then stops it in order
            )
        self._await_answer(daemon)

    def stop(self) -> None:
        """Stop every program, then the daemon; does nothing when it is not running. Raises PlatformError."""
        if not self.running():
            self._end_orphans()
            return
        daemon = psutil.Process(self._rpc().getPID())
        self._rpc().shutdown()  # it stops answering at once, long before its programs have ended
        try:
            daemon.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            advice = f"see {self.folder}/supervisord.log"
            raise PlatformError("the processes did not stop in time", advice) from None

    def states(self) -> list[State]:
        """State of each program, in starting order; empty when the daemon is not running."""
        try:
            answers: Any = self._rpc().getAllProcessInfo()
        except (OSError, RpcError):
            return []
        return [
            State(one["name"], one["statename"], one["pid"], one["description"], Path(one["stdout_logfile"]))
            for one in answers
        ]

    def render(self, programs: Sequence[Program], directory: Path) -> str:
        """The text of supervisord.conf."""
        daemon = {
            "logfile": self.folder / "supervisord.log",
            "logfile_maxbytes": "5MB",
            "logfile_backups": 1,
            "pidfile": self.folder / "supervisord.pid",
            "directory": directory,
            "umask": "077",  # Airflow writes its keys and logs readable for everybody otherwise
            "identifier": "undertow",
            "loglevel": "info",
            **({"user": "root"} if os.geteuid() == 0 else {}),  # else it complains that it was not told
        }
        control = {"file": self.socket, "chmod": "0700"}
        interface = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
        sections: list[tuple[str, Mapping[str, Any]]] = [
            ("supervisord", daemon),
            ("unix_http_server", control),
            ("rpcinterface:supervisor", interface),
        ]
        sections += [(f"program:{program.name}", self._program(program)) for program in programs]
        return "\n\n".join(_section(name, values) for name, values in sections) + "\n"

    def _program(self, program: Program) -> dict[str, Any]:
        return {
            "command": shlex.join(program.command),
            "priority": program.priority,
            "autorestart": "true",
            "startsecs": 3,
            # Airflow exits while Postgres is away, for a night where its disk is full. The pauses grow by a second each,
            # to seven minutes in a day; who is given up stays down until a person comes.
            "startretries": 10_000,
            "stopwaitsecs": program.patience_s,
            "killasgroup": "true",
            "redirect_stderr": "true",
            # supervisord expands this one twice
            "stdout_logfile": str(self.folder / f"{program.name}.log").replace("%", "%%"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 1,
        }

    def _await_answer(self, daemon: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.running():
            if daemon.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "supervisord.out").read_text().splitlines()
                why = next((line for line in said if line.startswith("Error: ")), "no answer")
                raise PlatformError(f"supervisord did not start: {why.removeprefix('Error: ')}")
            time.sleep(0.05)

    def _end_orphans(self) -> None:
        """End what a daemon that was killed left running; supervisord marks its programs with its address."""
        mine = [
            process for process in psutil.process_iter() if _supervised_by(process) == f"unix://{self.socket}"
        ]
        for process in mine:
            with suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(mine, timeout=ORPHANS_TIMEOUT_S)[1]:
            with suppress(psutil.Error):
                process.kill()

    def _rpc(self) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _supervised_by(process: psutil.Process) -> str | None:
    try:
        return str(process.environ().get("SUPERVISOR_SERVER_URL"))
    except psutil.Error:
        return None


def _section(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"{key} = {str(value).replace('%', '%%')}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines])


def _socket_path(folder: Path) -> Path:
    """A socket in the folder, or in a temporary folder where the path would be too long for the kernel."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    name = f"undertow-{os.geteuid()}-{digest}.sock"
    places = (folder / "supervisor.sock", Path(tempfile.gettempdir()) / name, Path("/tmp") / name)
    return next((path for path in places if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT), places[-1])
