"""supervisord.conf as text, and a real supervisord with small programs."""

from __future__ import annotations

import configparser
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.errors import PlatformError
from pipeline.platform.supervisor import SOCKET_PATH_LIMIT, Program, Supervisor

SLEEPER = Program("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])


def wait_for(what: str, condition: object, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "with space %d")
    yield supervisor
    supervisor.stop()


def test_the_configuration_quotes_what_supervisor_would_expand(tmp_path: Path) -> None:
    text = Supervisor(tmp_path).render([Program("p", ["/bin/a b", "100%"])], tmp_path)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert parser["program:p"]["command"] == "'/bin/a b' 100%%"
    assert parser["supervisord"]["umask"] == "077"


def test_a_program_that_cannot_start_is_not_given_up_over_a_night(tmp_path: Path) -> None:
    text = Supervisor(tmp_path).render([Program("p", ["/bin/a"])], tmp_path)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    pauses_s = sum(range(1, int(parser["program:p"]["startretries"]) + 1))  # each a second longer
    assert pauses_s > 24 * 3600


def test_a_long_path_gets_a_short_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = Supervisor(tmp_path / ("d" * 120))
    assert len(os.fsencode(deep.socket)) <= SOCKET_PATH_LIMIT
    assert deep.socket != Supervisor(tmp_path / ("e" * 120)).socket
    monkeypatch.setattr("tempfile.tempdir", f"/tmp/{'t' * 90}")  # as TMPDIR is long on some machines
    assert len(os.fsencode(Supervisor(tmp_path / ("d" * 120)).socket)) <= SOCKET_PATH_LIMIT


def test_a_program_that_dies_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([SLEEPER], {"PATH": os.environ["PATH"]}, tmp_path)
    wait_for("the first start", lambda: supervisor.states()[0].pid)
    first = supervisor.states()[0].pid
    os.kill(first, signal.SIGKILL)
    wait_for("another pid", lambda: supervisor.states()[0].pid not in (0, first))
    second = psutil.Process(supervisor.states()[0].pid)
    supervisor.stop()
    assert not second.is_running(), "stop returns when everything has ended"
    assert not supervisor.running()
    assert supervisor.states() == []


def test_programs_inherit_the_environment_which_stays_off_the_disk(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    program = Program("teller", ["/bin/sh", "-c", "echo $SECRET; sleep 60"])
    supervisor.start([program], {"PATH": os.environ["PATH"], "SECRET": "hush-hush"}, tmp_path)
    log = supervisor.folder / "teller.log"
    wait_for("its word", lambda: log.exists() and "hush-hush" in log.read_text())
    assert "hush-hush" not in supervisor.configuration.read_text()
    assert supervisor.folder.stat().st_mode & 0o777 == 0o700


def test_a_killed_daemon_does_not_stop_the_next_one(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([SLEEPER], {"PATH": os.environ["PATH"]}, tmp_path)
    daemon = int((supervisor.folder / "supervisord.pid").read_text())
    # a pid is there before its process has become the program, which alone bears the daemon's address
    wait_for("its program", lambda: _bears_the_address(supervisor.states()[0].pid, supervisor))
    orphan = psutil.Process(supervisor.states()[0].pid)
    os.kill(daemon, signal.SIGKILL)
    wait_for("its end", lambda: not supervisor.running())
    supervisor.start([SLEEPER], {"PATH": os.environ["PATH"]}, tmp_path)
    assert supervisor.running()
    assert _has_ended(orphan)


def _has_ended(process: psutil.Process) -> bool:
    """A process without its parent stays a zombie until pid 1 asks after it, which may take many seconds."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _bears_the_address(pid: int, supervisor: Supervisor) -> bool:
    return (
        bool(pid)
        and psutil.Process(pid).environ().get("SUPERVISOR_SERVER_URL") == f"unix://{supervisor.socket}"
    )


def test_a_daemon_that_cannot_start_says_why(tmp_path: Path) -> None:
    broken = Supervisor(tmp_path)
    with pytest.raises(PlatformError, match="supervisord did not start"):
        broken.start([Program("bad name:with colon]", ["x"])], {"PATH": ""}, tmp_path / "gone")
