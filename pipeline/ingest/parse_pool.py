"""A few processes that parse feeds, each with a deadline and a memory cap, replaced when they die.

Processes, not threads: parsing holds the interpreter lock, and a thread cannot be killed. Plain subprocesses, not
multiprocessing: a task of Airflow may itself be a daemonic process, which must not have such children.
"""

import asyncio
import os
import pickle
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ParseError, PlatformError
from pipeline.ingest import parse
from pipeline.ingest.articles import FeedOptions, Prepared
from pipeline.ingest.parse_worker import CPU_S, READY, frame
from pipeline.ingest.robots import Robots

# Seconds of wall time for one document. The real limit is CPU time (parse_worker.CPU_S); this one is for a worker that
# waits for ever, and generous because a busy machine may give a worker a tenth of a core.
DEADLINE_S = 60.0
# Seconds for a worker to start; it takes 0.15 s on an idle core.
START_S = 120.0
T = TypeVar("T")
_ERRORS: Mapping[str, type[ParseError]] = {
    kind.__name__: kind
    for kind in (
        parse.EmptyBody,
        parse.HtmlPage,
        parse.ChallengePage,
        parse.NotAFeed,
        parse.ParserFailed,
        parse.ParseTimeout,
        parse.ParserCrash,
    )
}


class ParsePool:
    """`async with ParsePool(2) as pool: await pool.prepare(...)`; processes start when the first body needs one."""

    def __init__(self, processes: int, deadline_s: float = DEADLINE_S, cpu_s: int = CPU_S) -> None:
        self._deadline_s, self._cpu_s = deadline_s, cpu_s
        self._idle: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        for _ in range(processes):
            self._idle.put_nowait(None)

    async def __aenter__(self) -> "ParsePool":
        return self

    async def __aexit__(self, *_: object) -> None:
        while not self._idle.empty():
            process = self._idle.get_nowait()
            if process is not None:
                await _stop(process)

    async def prepare(
        self, body: bytes, headers: Mapping[str, str], url: str, options: FeedOptions, now: datetime
    ) -> Prepared:
        """Parse and prepare one document. Raises a ParseError, ParseTimeout and ParserCrash included."""
        return await self._work((body, dict(headers), url, options, now), Prepared)

    async def extract(self, body: bytes, url: str) -> str:
        """The text of an article's page, '' if it has none. Raises a ParseError."""
        return await self._work((body, url), str)

    async def read_robots(self, body: bytes, urls: Sequence[str], agent: str) -> Robots:
        """What a robots.txt allows of `urls`, all of its host. Raises a ParseError."""
        return await self._work((body, list(urls), agent), Robots)

    async def _work(self, job: Any, expected: type[T]) -> T:
        process = await self._idle.get()
        try:
            if process is None or process.returncode is not None:
                process = await _start(self._cpu_s)
            result = await asyncio.wait_for(_ask(process, job), self._deadline_s)
        except TimeoutError:
            await _kill(process)
            raise parse.ParseTimeout(
                f"the parser did not end within {self._deadline_s:g} s", "report the feed"
            ) from None
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            raise await _death(process) from None
        except BaseException:
            await _kill(process)
            raise
        finally:
            self._idle.put_nowait(process if process is not None and process.returncode is None else None)
        if isinstance(result, expected):
            return result
        kind, message, advice = result
        raise _ERRORS.get(kind, parse.ParserFailed)(message, advice)


def prepare_once(body: bytes, url: str, options: FeedOptions, now: datetime) -> Prepared:
    """One document in a process of its own, for commands. Raises a ParseError."""

    async def go() -> Prepared:
        async with ParsePool(1) as pool:
            return await pool.prepare(body, {}, url, options, now)

    return asyncio.run(go())


async def _start(cpu_s: int) -> asyncio.subprocess.Process:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # one thread per process: the pool is what uses the cores, and each thread of OpenBLAS reserves address space
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.ingest.parse_worker", str(cpu_s),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readexactly(len(READY)), START_S)
    except (TimeoutError, asyncio.IncompleteReadError):
        await _kill(process)
        raise PlatformError(
            "a parsing process did not start", "see the messages above; is the installation whole?"
        ) from None
    return process


async def _death(process: asyncio.subprocess.Process | None) -> ParseError:
    """What killed a worker, as an error of its feed."""
    code = await process.wait() if process is not None else None
    if code == -signal.SIGXCPU:
        return parse.ParseTimeout("the parser used up its CPU time", "report the feed")
    return parse.ParserCrash(f"the parser's process died (status {code})", "report the feed")


async def _ask(process: asyncio.subprocess.Process, job: Any) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(frame(job))
    await process.stdin.drain()
    head = await process.stdout.readexactly(4)
    data = await process.stdout.readexactly(struct.unpack(">I", head)[0])
    return pickle.loads(data)


async def _kill(process: asyncio.subprocess.Process | None) -> None:
    if process is not None and process.returncode is None:
        process.kill()
        await process.wait()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 2)
    except TimeoutError:
        await _kill(process)
