"""A process that forks runs of a step, so that a test may kill them: lines in on its standard input, lines out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Forker:
    """Runs a script beside this one; see the script for what it reads and answers."""

    def __init__(self, script: str, *arguments: str) -> None:
        path = str(Path(__file__).with_name(script))
        self.process = subprocess.Popen(
            [sys.executable, path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def fork(run: Callable[[], object], kill_after: float = 0.0) -> str:
    """How a fork that does `run` ended; killed after so many seconds if it has not ended by then (0: it is not)."""
    child = os.fork()
    if child == 0:
        run()
        os._exit(0)
    if kill_after:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)  # one that has ended waits for its parent, so the id is still its own
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
