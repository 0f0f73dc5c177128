"""The process in which feeds are parsed: `python -m pipeline.ingest.parse_worker SECONDS`. It may be killed at any moment.

Reads jobs and writes results on its standard streams, each a length (4 bytes, big endian) and a pickle. Both ends
are this program under the same user, so pickle adds no trust that is not there; what is hostile is the body inside.
"""

import math
import os
import pickle
import resource
import struct
import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, BinaryIO

from pipeline.errors import ParseError
from pipeline.ingest.articles import FeedOptions, Prepared, prepare
from pipeline.ingest.parse import ParserFailed, parse_feed
from pipeline.ingest.robots import Robots, read_robots
from pipeline.ingest.text import clean, one_line

# Address space: Python, lxml and the language model take 300 MB of it; 5,000 honest items less than 200 MB more.
MEMORY_LIMIT = 1024**3

# CPU seconds for one document; the slowest honest one of 10 MiB takes 3. The kernel ends the process (SIGXCPU).
CPU_S = 10
READY = b"ready"

Job = tuple[bytes, dict[str, str], str, FeedOptions, datetime]
Page = tuple[bytes, str]  # an article's page and its address
Rules = tuple[bytes, list[str], str]  # a robots.txt, addresses of its host, and who asks
Failure = tuple[str, str, str]  # class, message and advice of a ParseError


def work(job: Job | Page | Rules) -> Prepared | str | Robots | Failure:
    """One job: the prepared document, the text of a page, what a robots.txt allows, or the failure."""
    try:
        if len(job) == 2:
            return _extract(*job)
        return read_robots(*job) if len(job) == 3 else _prepare(*job)
    except ParseError as error:
        return type(error).__name__, error.message, error.advice
    except (MemoryError, RecursionError) as error:
        return ParserFailed.__name__, f"the parser gave up: {type(error).__name__}", "report the feed"
    except Exception as error:  # noqa: BLE001 - hostile input found a bug of ours: this feed fails, the others go on
        return (
            ParserFailed.__name__,
            one_line(f"the parser failed: {type(error).__name__}: {error}"),
            "report the feed",
        )


def _prepare(body: bytes, headers: dict[str, str], url: str, options: FeedOptions, now: datetime) -> Prepared:
    return prepare(parse_feed(body, headers), options, url, now)


def _extract(body: bytes, url: str) -> str:
    from trafilatura import extract

    return clean(extract(body, url=url, include_comments=False, fast=True) or "").text


def read_frame(stream: BinaryIO) -> Any | None:
    """The next object, or None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    return pickle.loads(stream.read(struct.unpack(">I", head)[0]))


def frame(value: Any) -> bytes:
    """The bytes that `read_frame` reads."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return struct.pack(">I", len(data)) + data


def main(cpu_s: int = CPU_S) -> None:
    """Serve jobs until standard input ends, each within `cpu_s` seconds of CPU."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    jobs = sys.stdin.buffer
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not corrupt the results
    results.write(READY)
    results.flush()
    while (job := read_frame(jobs)) is not None:
        resource.setrlimit(
            resource.RLIMIT_CPU, (math.ceil(time.process_time()) + cpu_s, resource.RLIM_INFINITY)
        )
        results.write(frame(work(job)))
        results.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # whoever asked was killed; nobody waits for the answer
        main(int(sys.argv[1]))
