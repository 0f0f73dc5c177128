"""Forks a process that runs detect for each line on standard input, and prints how it ended.

A line is the time as of which it runs and the seconds after which it is killed (0: it is not).
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial

from detect_world import ROUTES
from forker import fork

from pipeline.detect.rules import parse_rules
from pipeline.detect.step import detect
from pipeline.store.engine import create_engine


def main() -> None:
    url, rules = sys.argv[1], parse_rules(ROUTES)
    for line in sys.stdin:
        as_of, kill_after = line.split()
        run = partial(detect, create_engine(url), rules, as_of=datetime.fromisoformat(as_of))
        print(fork(run, float(kill_after)), flush=True)


main()
