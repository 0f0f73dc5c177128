"""Which process is the server of a data folder, and which user may run it.

postmaster.pid is never believed alone: after a reboot its pid may be anybody's, after a kill it may be a zombie.
A real server has the data folder as its working directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pipeline.errors import ServerError

NOBODY = 65534
# A killed server's children took up to 3.4 s to end, a zombie up to some seconds until pid 1 reaps it.
GONE_TIMEOUT_S = 30.0


def running_pid(data: Path) -> int | None:
    """Pid of the live server of `data`, None if there is none."""
    process = _recorded_process(data)
    return process.pid if process and _works_in(process, data) else None


def wait_until_gone(data: Path, until: Callable[[], bool], timeout_s: float = GONE_TIMEOUT_S) -> None:
    """Wait for what a crash left behind, so that a start can follow; returns early when `until()` is true.

    PostgreSQL takes a zombie for a live server and refuses to start; a recycled pid it refuses for ever, so
    the record is removed when its pid is somebody else's and no process works in the data folder.
    """
    deadline = time.monotonic() + timeout_s
    while (process := _recorded_process(data)) and time.monotonic() < deadline:
        if _works_in(process, data):
            if until():
                return
        elif not _is_zombie(process) and not any(_works_in(other, data) for other in psutil.process_iter()):
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
        time.sleep(0.1)


def unprivileged(home: Path) -> list[str]:
    """Command prefix under which PostgreSQL agrees to run; empty unless we are root, which it refuses.

    A user namespace maps root to nobody: files stay root's, no account is made. Where containers forbid
    namespaces the server runs as `postgres` or `nobody`, and `home` is handed to that account.
    """
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
        return namespace
    return _as_account(home)


def _as_account(home: Path) -> list[str]:
    account = next((found for name in ("postgres", "nobody") if (found := _account(name))), None)
    if account is None or not shutil.which("setpriv"):
        raise ServerError(
            "PostgreSQL refuses to run as root here", "run as an ordinary user, or install util-linux"
        )
    for path in (home, *home.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _recorded_process(data: Path) -> psutil.Process | None:
    """The process that postmaster.pid names, a zombie too; None when it is gone and PostgreSQL sees it so."""
    try:
        return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        return None


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return os.path.samefile(process.cwd(), data)
    except (OSError, psutil.Error):
        return False


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
