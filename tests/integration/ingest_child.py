"""Forks a process that polls all feeds for each line on standard input, and prints how it ended.

A line is the seconds after which the run is killed (0: it is not).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime

from pipeline.ingest.step import ingest_feeds
from pipeline.settings import Settings
from pipeline.store.engine import create_engine


def main() -> None:
    url, *feed_ids = sys.argv[1:]
    settings = Settings(fetch_allow_private=("127.0.0.0/8",), _env_file=None)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ingest_feeds(
                create_engine(url), [int(n) for n in feed_ids], settings=settings, as_of=datetime.now(UTC)
            )
            os._exit(0)
        if float(line):
            time.sleep(float(line))
            os.kill(
                child, signal.SIGKILL
            )  # one that has ended waits for its parent, so the id is still its own
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}", flush=True)


main()
