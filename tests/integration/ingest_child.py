"""Forks a process that polls all feeds for each line on standard input, and prints how it ended.

A line is the seconds after which the run is killed (0: it is not).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial

from forker import fork

from pipeline.ingest.step import ingest_feeds
from pipeline.settings import Settings
from pipeline.store.engine import create_engine


def main() -> None:
    url, feed_ids = sys.argv[1], [int(n) for n in sys.argv[2:]]
    settings = Settings(fetch_allow_private=("127.0.0.0/8",), _env_file=None)

    for line in sys.stdin:
        run = partial(ingest_feeds, create_engine(url), feed_ids, settings=settings, as_of=datetime.now(UTC))
        print(fork(run, float(line)), flush=True)


main()
