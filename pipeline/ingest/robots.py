"""What a robots.txt lets us fetch. Pure; only the parsing processes call it, for hostile ones take all time and memory.

Each rule holds for all the agents named before it, and Protego keeps it for each of them: 46 kB may make millions of
rules (10 s, 290 MB), 512 KiB half a billion (36 GB).
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Of a longer file the rest is not read; crawlers need not read more than 500 KiB (RFC 9309).
ROBOTS_LIMIT = 512 * 1024


@dataclass(frozen=True, slots=True)
class Robots:
    """What a host says to one agent: the pause it asks for, if any, and which of the addresses may be fetched."""

    delay_s: float | None
    allowed: frozenset[str]


def read_robots(body: bytes, urls: Sequence[str], agent: str) -> Robots:
    """Judge `urls`, all of one host, by its robots.txt."""
    from protego import Protego

    rules = Protego.parse(body[:ROBOTS_LIMIT].decode("utf-8", "replace"))
    return Robots(rules.crawl_delay(agent), frozenset(url for url in urls if rules.can_fetch(url, agent)))
