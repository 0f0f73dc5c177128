"""Names to addresses, each lookup in a thread that nobody waits for.

The system's lookup cannot be called off, and behind a dead name server it takes half a minute. In the pool that asyncio
shares among everything, six such names kept all others waiting until their feeds' deadlines passed, the storing of what
had come, and the end of the process. Which addresses may be dialled is not decided here (pipeline.ingest.addresses).
"""

import asyncio
import errno
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

# Seconds for one lookup. A system whose first name server is dead asks its second after 5 (resolv.conf, timeout).
LOOKUP_S = 8.0
# Threads for each request under way: a lookup that is given up keeps its thread until the system gives it up, too,
# by default after 30 s at the latest, which is four times LOOKUP_S.
THREADS = 4


class Resolver(AbstractResolver):
    """`getaddrinfo` for as many names at once as there are `connections`. Raises OSError for a name without an answer."""

    def __init__(self, connections: int) -> None:
        self._free = asyncio.Semaphore(connections * THREADS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def settle(results: list[ResolveResult], error: Exception | None) -> None:
            self._free.release()
            if found.done():  # given up
                return
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(results)

        def look_up() -> None:
            results: list[ResolveResult] = []
            error: Exception | None = None
            try:
                results = _look_up(host, port, family)
            except Exception as raised:  # noqa: BLE001 - raised again where the lookup is awaited
                error = raised
            with suppress(RuntimeError):  # the loop is closed, and nobody asks any more
                loop.call_soon_threadsafe(settle, results, error)

        # a daemon, unlike the threads of an executor: the process ends without it
        thread = Thread(target=look_up, name=f"look up {host}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # at the limit of processes; other lookups will end
            self._free.release()
            raise OSError(errno.EAGAIN, "no thread for a lookup") from error
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await found
        except TimeoutError:
            raise socket.gaierror(
                socket.EAI_AGAIN, f"no answer from the name server within {LOOKUP_S:g} s"
            ) from None

    async def close(self) -> None:
        """Nothing: a thread ends with its lookup."""


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """The addresses of a host as numbers, as aiohttp wants them."""
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [_result(host, kind, protocol, where) for kind, _, protocol, _, where in found]


def _result(host: str, family: socket.AddressFamily, protocol: int, where: tuple[Any, ...]) -> ResolveResult:
    # the zone of a link-local address is only in its name
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    address, port = socket.getnameinfo(where, numeric)
    return ResolveResult(
        hostname=host,
        host=address,
        port=int(port),
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
