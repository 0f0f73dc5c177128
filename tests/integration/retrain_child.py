"""Forks a process that goes on with retraining r1 for each line on standard input, and prints its id, its steps and its end.

Arguments: URL of the database, home, directory of the tiny champion. torch is imported once, before the forks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from learning import make_line, make_small
from newsroom import NOW

import model.finetune
from pipeline import retrain
from pipeline.store.engine import create_engine


def go_on(url: str, home: Path) -> None:
    """The retraining, its steps on the standard output that the parent reads; training is talkative."""
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    line = make_line(create_engine(url), url, home)
    retrain.retrain(line, "r1", as_of=NOW, progress=lambda step: print(step, file=told))


def main(url: str, home: str, champion: str) -> None:
    assert model.finetune  # imported for the forks
    torch.set_num_threads(1)
    make_small(setattr, Path(champion), Path(home).parent)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            go_on(url, Path(home))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
