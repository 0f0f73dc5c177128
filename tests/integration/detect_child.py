"""Forks a process that runs detect for each line on standard input, and prints how it ended.

A line is the time as of which it runs and the seconds after which it is killed (0: it is not).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime

from detect_world import ROUTES

from pipeline.detect.rules import parse_rules
from pipeline.detect.step import detect
from pipeline.store.engine import create_engine


def main() -> None:
    url, rules = sys.argv[1], parse_rules(ROUTES)
    for line in sys.stdin:
        as_of, kill_after = line.split()
        child = os.fork()
        if child == 0:
            detect(create_engine(url), rules, as_of=datetime.fromisoformat(as_of))
            os._exit(0)
        if float(kill_after):
            time.sleep(float(kill_after))
            os.kill(
                child, signal.SIGKILL
            )  # one that has ended waits for its parent, so the id is still its own
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}", flush=True)


main()
