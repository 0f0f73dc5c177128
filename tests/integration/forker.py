"""A process that forks runs of a step, so that a test may kill them: lines in on its standard input, lines out."""

from __future__ import annotations

import subprocess
import sys
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
