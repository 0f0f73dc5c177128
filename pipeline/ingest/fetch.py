"""One polite, bounded, guarded GET. The only place of the room that opens sockets to feeds.

The guard sits where the socket is made (pipeline.ingest.addresses): what is checked is the very address that is
dialled. Redirects are followed by hand, so that each hop passes it; bodies are inflated by hand, so that a bomb
ends at the cap; one deadline holds for the whole of it, because a peer may drip a byte a second for ever.
"""

import asyncio
import errno
import hashlib
import re
import socket
import time
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from pipeline.errors import FetchError, redact
from pipeline.ingest.addresses import checked_url, may_dial
from pipeline.ingest.answer import (
    Answer,
    BadAddress,
    BadAnswer,
    BadCertificate,
    BadEncoding,
    BadRedirect,
    CannotConnect,
    FetchTimeout,
    ForbiddenAddress,
    Request,
    TooLarge,
    UnknownHost,
)
from pipeline.ingest.resolver import Resolver
from pipeline.ingest.text import one_line
from pipeline.values import Allowed

# Bytes of one answer at most: as they come, and inflated.
WIRE_LIMIT = 10 * 1024 * 1024
BODY_LIMIT = 20 * 1024 * 1024
# Text compresses 3 to 10 times, repetitive markup 40; beyond 100 it is a bomb.
RATIO_LIMIT = 100
# Inflated bytes from which on the ratio is looked at.
RATIO_FROM = 1024 * 1024
REDIRECT_LIMIT = 5
# Seconds to connect, and of silence within an answer; the deadline for all of it is a setting.
CONNECT_S = 5.0
READ_S = 10.0
HEADER_BYTES = 8_190
_CHUNK = 64 * 1024
_ACCEPT = "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
_KEPT = ("content-type", "content-language", "cache-control", "expires", "date", "age", "etag", "last-modified", "retry-after",
         "x-ratelimit-reset", "cf-mitigated")  # fmt: skip
# What no column of Postgres takes: NUL, and bytes of a header that are no UTF-8, which aiohttp hands on as lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# What the client takes in a server's header and refuses in one of ours, before any request: control characters but the tab.
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


class Fetcher:
    """`async with Fetcher(...) as fetcher: await fetcher.get(request)`. Never raises for a feed's fault."""

    def __init__(self, *, timeout_s: float, connections: int, allowed: Allowed) -> None:
        self._timeout_s, self._connections, self._allowed = timeout_s, connections, allowed
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Fetcher":
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            limit_per_host=1,
            socket_factory=self._dial,
            resolver=Resolver(self._connections),
            ttl_dns_cache=0,
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=self._timeout_s, connect=None, sock_connect=CONNECT_S, sock_read=READ_S
            ),
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, request: Request) -> Answer:
        """The answer, or an Answer with `error`; ends within the deadline."""
        answer, started = Answer(request.url), time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._follow(request, answer)
        except FetchError as error:
            answer.error = error
        except (TimeoutError, aiohttp.ServerTimeoutError):
            answer.error = FetchTimeout(
                f"no complete answer within {self._timeout_s:g} s", "it is tried again later"
            )
        except (aiohttp.ClientError, OSError, ValueError, LookupError) as error:
            answer.error = _typed(error)
        answer.duration_ms = round((time.monotonic() - started) * 1000)
        return answer

    async def _follow(self, request: Request, answer: Answer) -> None:
        url, seen, permanent = checked_url(request.url), set(), True
        for _ in range(REDIRECT_LIMIT + 1):
            seen.add(url)
            location = await self._hop(url, request, answer)
            answer.url = url
            if location is None:
                answer.permanent_to = url if permanent and len(seen) > 1 else None
                return
            permanent = permanent and answer.status in (301, 308)
            url = next_url(url, location, seen)
        raise BadRedirect(f"more than {REDIRECT_LIMIT} redirects", "look for the feed's final address")

    async def _hop(self, url: str, request: Request, answer: Answer) -> str | None:
        """One request; the address to go to next, or None when this is the answer."""
        assert self._session is not None
        async with self._session.get(url, headers=_headers(url, request), allow_redirects=False) as response:
            answer.status = response.status
            answer.headers = kept_headers(response.headers)
            location = response.headers.get("Location")
            if response.status in (301, 302, 303, 307, 308) and location:
                return quoted(location)
            if response.status in (200, 203, 226):
                await _read_body(response, answer)
            return None

    def _dial(self, address: Any) -> socket.socket:
        """Socket factory of the connector: raises for an address that feeds may not reach."""
        family, kind, protocol, _, where = address
        if not may_dial(str(where[0]), int(where[1]), self._allowed):
            raise OSError(errno.EACCES, _FORBIDDEN)
        return socket.socket(family=family, type=kind, proto=protocol)


_FORBIDDEN = "the address is on a private network"


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that are read later, but none that could not be stored, or as a validator not be sent back."""
    kept = {name: headers[name] for name in _KEPT if name in headers}
    return {name: value for name, value in kept.items() if not _UNSENDABLE.search(value)}


def quoted(location: str) -> str:
    """A redirect's target with the bytes that are no UTF-8 percent-encoded, as browsers ask for it."""
    return _UNSTORABLE.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape")),
        location,
    )


def next_url(url: str, location: str, seen: set[str]) -> str:
    """The target of a redirect. Raises BadRedirect or BadAddress."""
    try:
        target = urljoin(url, location.strip())
    except ValueError:
        raise BadRedirect("the redirect's target cannot be read", "look for the feed's new address") from None
    target = checked_url(target.split("#", 1)[0])
    if target in seen:
        raise BadRedirect("the redirects go round in a circle", "look for the feed's new address")
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise BadRedirect("a redirect leaves https for http", "look for the feed's new address")
    return target


def inflate(data: bytes, state: Any, total: int, wire: int) -> bytes:
    """Decode a chunk within the caps: `total` bytes are decoded so far from `wire` received. Raises TooLarge, BadEncoding."""
    pieces, pending = [], data
    while pending:
        try:
            piece = state.decompress(pending, _CHUNK)
        except zlib.error as error:
            raise BadEncoding("the compressed body is broken", "it is tried again later") from error
        total += len(piece)
        pieces.append(piece)
        check_size(total, wire)
        if state.eof or (not piece and not state.unconsumed_tail):
            break
        pending = state.unconsumed_tail
    return b"".join(pieces)


def check_size(total: int, wire: int) -> None:
    """Raise TooLarge where a body of `total` bytes from `wire` bytes passes a cap."""
    if wire > WIRE_LIMIT or total > BODY_LIMIT:
        raise TooLarge(
            f"the body is larger than {WIRE_LIMIT // 1024**2} MiB", "no feed needs that; look for another one"
        )
    if total > RATIO_FROM and total > RATIO_LIMIT * max(wire, 1):
        raise TooLarge(
            f"the body inflates more than {RATIO_LIMIT} times", "it looks like a bomb; look for another feed"
        )


def _headers(url: str, request: Request) -> dict[str, str]:
    headers = {"User-Agent": request.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    if url == request.validators_url:
        validators = {"If-None-Match": request.etag, "If-Modified-Since": request.last_modified}
        headers |= {
            name: value for name, value in validators.items() if value and not _UNSENDABLE.search(value)
        }
    return headers


async def _read_body(response: aiohttp.ClientResponse, answer: Answer) -> None:
    state = _decoder(response.headers.get("Content-Encoding", ""))
    declared = response.headers.get("Content-Length", "")
    if declared.isdigit():
        check_size(0, int(declared))
    digest, pieces, total = hashlib.blake2b(digest_size=16), [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        answer.wire_bytes += len(chunk)
        piece = inflate(chunk, state, total, answer.wire_bytes) if state else chunk
        total += len(piece)
        check_size(total, answer.wire_bytes)
        digest.update(piece)
        pieces.append(piece)
    if state and not state.eof:
        raise BadEncoding("the compressed body breaks off", "it is tried again later")
    answer.body, answer.body_hash, answer.body_bytes = b"".join(pieces), digest.digest(), total


def _decoder(encoding: str) -> Any:
    names = [
        name.strip().lower() for name in encoding.split(",") if name.strip().lower() not in ("", "identity")
    ]
    if not names:
        return None
    if len(names) > 1 or names[0] not in ("gzip", "x-gzip", "deflate"):
        raise BadEncoding(
            f"Content-Encoding {one_line(encoding, 60)!r} was not asked for", "the server is at fault"
        )
    return zlib.decompressobj(wbits=47)  # gzip or zlib, by its header


def _typed(error: Exception) -> FetchError:
    """One of ours for what the client library raised."""
    said = one_line(redact(str(error)), 200)
    if _FORBIDDEN in str(error):
        return ForbiddenAddress(_FORBIDDEN, "name it in UNDERTOW_FETCH_ALLOW_PRIVATE if it is yours")
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return UnknownHost("the host name cannot be resolved", "check the address and this machine's DNS")
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return BadCertificate(
            f"TLS failed: {said}", "the publisher's certificate or this machine's clock is wrong"
        )
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | ValueError | LookupError):
        return BadAddress(f"the address cannot be used: {said}", "write http(s)://host/path")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientOSError):
        return CannotConnect(f"no connection: {said}", "it is tried again later")
    return BadAnswer(f"the answer broke off or is no HTTP: {said}", "it is tried again later")
