"""The embedded server: what crashes, reboots and other processes leave behind must not stop it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from pipeline.errors import PortTaken, ServerError
from pipeline.store.server import Server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("own-server")
    yield home
    Server(home).stop()


@pytest.fixture
def running(cluster: Path) -> Server:
    return Server(cluster).start()


def query(server: Server, statement: str, *, fetch: bool = True) -> object:
    connection = psycopg2.connect(server.url("postgres").replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if fetch else None
    connection.close()
    return row[0] if row else None


def test_racing_starters_make_one_server(tmp_path: Path) -> None:
    code = "import sys, pathlib as p; from pipeline.store.server import Server as S;"
    code += "print(S(p.Path(sys.argv[1])).start().pid())"
    command = [sys.executable, "-c", code, str(tmp_path)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    pids = {racer.communicate()[0].strip() for racer in racers}
    Server(tmp_path).stop()
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert len(pids) == 1
    assert b"None" not in pids


def test_speaks_utf8_whatever_the_locale_and_listens_on_loopback_only(running: Server) -> None:
    assert query(running, "select upper('é') || current_setting('server_encoding')") == "ÉUTF8"
    assert query(running, "show listen_addresses") == "127.0.0.1"
    assert query(running, "show timezone") == "UTC"
    assert (running.home / "password").stat().st_mode & 0o777 == 0o600
    assert running.data.stat().st_mode & 0o777 == 0o700


def test_nobody_enters_without_the_password(running: Server) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=running.port(), user="postgres", password="x", dbname="postgres"
        )


def test_committed_rows_survive_a_kill(running: Server) -> None:
    query(running, "create table kept as select generate_series(1, 1000) as n", fetch=False)
    pid = running.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    running.start()
    assert running.pid() not in (None, pid)
    assert query(running, "select count(*) from kept") == 1000


def test_a_recycled_pid_is_not_taken_for_the_server(running: Server) -> None:
    running.stop()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (running.data / "postmaster.pid").write_text(f"{bystander.pid}\n{running.data}\n")
        running.stop()  # must not signal the bystander
        running.start()
        assert running.ready()
        assert bystander.poll() is None
        bystander.kill()


def test_a_kept_port_that_is_taken_is_replaced(running: Server) -> None:
    running.stop()
    port = running.port()
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind(("127.0.0.1", port))
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        running.start()
        assert running.ready()
        assert running.port() != port


def test_a_port_that_a_full_disk_kept_from_being_noted_is_chosen_anew(running: Server) -> None:
    running.stop()
    (running.home / "port").write_text("")
    assert not running.ready()
    running.start()
    assert running.ready()


def test_a_server_that_a_task_started_does_not_look_like_a_program_of_the_supervisor(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.stop()
    monkeypatch.setenv("SUPERVISOR_SERVER_URL", "unix:///a/supervisor.sock")
    pid = running.start().pid()
    assert pid is not None
    assert not [name for name in psutil.Process(pid).environ() if name.startswith("SUPERVISOR_")]


def test_a_chosen_port_that_is_taken_is_an_error(running: Server) -> None:
    running.stop()
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        port = somebody.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            Server(running.home, port=port).start()


def test_half_a_cluster_is_made_again(tmp_path: Path, fast: dict[str, str]) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    server = Server(tmp_path, settings=fast).start()
    server.stop()
    assert not (tmp_path / "data.new").exists()


def test_a_server_that_cannot_start_says_why_in_one_line(running: Server) -> None:
    running.stop()
    with pytest.raises(ServerError) as error:
        Server(running.home, settings={"shared_buffers": "100000GB"}).start()
    assert "shared_buffers" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_server_without_room_for_a_word_says_that_the_disk_is_full(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.stop()
    monkeypatch.setattr("pipeline.store.server.ROOM_BYTES", 2**60)
    monkeypatch.setattr(Server, "_complaint", lambda self, offset: "")
    with pytest.raises(ServerError, match=f"the disk of {running.home} is full"):
        Server(running.home, settings={"shared_buffers": "100000GB"}).start()


def test_a_home_that_cannot_be_written_any_more_is_an_error_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, secret: str) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pipeline.store.server._write_secret", full)
    with pytest.raises(ServerError, match=r"No space left on device.*make room"):
        Server(tmp_path).start()


def test_a_home_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match="cannot write to"):
        Server(tmp_path / "file" / "postgres").start()


def test_starting_again_is_quick_and_stopping_twice_is_fine(running: Server) -> None:
    began = time.monotonic()
    running.start()
    assert time.monotonic() - began < 1.0
    running.stop()
    running.stop()
    assert not running.ready()
