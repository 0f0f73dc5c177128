"""A wire of synthetic feeds for the ingest benchmarks: its own process, one loopback address per feed.

    python bench/ingest_wire.py --feeds 300 --items 30      prints "ready PORT" and serves until standard input ends

`GET /feed` on 127.1.x.y answers the feed of that address; a matching If-None-Match gets 304. Texts are sentences of
2,000 random words with a fixed seed, HTML in the descriptions, one item in ten a copy from another feed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 11, tzinfo=UTC)
_SYLLABLES = [
    "ba",
    "co",
    "de",
    "fi",
    "go",
    "ha",
    "lo",
    "mi",
    "ne",
    "or",
    "pa",
    "qui",
    "ra",
    "se",
    "ti",
    "ul",
    "ve",
    "wo",
    "xa",
    "za",
]


def address(feed: int) -> str:
    """Loopback address that stands for the host of a feed."""
    return f"127.1.{feed // 250}.{feed % 250 + 1}"


def documents(feeds: int, items: int, seed: int = 7) -> list[bytes]:
    """One RSS document per feed."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(3, 5))) for _ in range(2_000)]
    written: list[tuple[str, str]] = []
    return [_document(feed, items, rng, words, written) for feed in range(feeds)]


def _document(
    feed: int, items: int, rng: random.Random, words: list[str], written: list[tuple[str, str]]
) -> bytes:
    rows = []
    for n in range(items):
        if written and rng.random() < 0.1:
            title, text = rng.choice(written)
        else:
            title, text = _sentence(rng, words, 10), " ".join(_sentence(rng, words, 14) for _ in range(4))
            written.append((title, text))
        date = (START - timedelta(minutes=7 * n)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        rows.append(
            f"<item><title>{title} &amp; more</title><link>https://outlet{feed}.example/{feed}/{n}?utm_source=rss</link>"
            f"<guid isPermaLink='false'>{feed}-{n}</guid><pubDate>{date}</pubDate><author>desk@outlet{feed}.example</author>"
            f"<category>markets</category><description>&lt;p&gt;{text}&lt;/p&gt;&lt;p&gt;&lt;a href='/x'&gt;Read on&lt;/a&gt;&lt;/p&gt;</description></item>"
        )
    head = f"<title>Outlet {feed}</title><link>https://outlet{feed}.example/</link><ttl>30</ttl>"
    return f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>{head}{''.join(rows)}</channel></rss>".encode()


def _sentence(rng: random.Random, words: list[str], count: int) -> str:
    chosen = rng.choices(words, k=count)
    if rng.random() < 0.3:
        chosen[count // 2] = f"{rng.randint(2, 999)} million"
    return " ".join([chosen[0].capitalize(), "the", "of", *chosen[1:]]) + "."


async def serve(feeds: int, items: int) -> None:
    bodies = documents(feeds, items)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, second = map(int, writer.get_extra_info("sockname")[0].split(".")[2:])
        feed = (first * 250 + second - 1) % feeds
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                etag = b'W/"%d"' % feed
                known = b"if-none-match: " + etag.lower() in head.lower()
                body = b"" if known else bodies[feed]
                status = b"304 Not Modified" if known else b"200 OK"
                writer.write(
                    b"HTTP/1.1 "
                    + status
                    + b"\r\nETag: "
                    + etag
                    + b"\r\nContent-Type: application/rss+xml; charset=utf-8\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "0.0.0.0", 0, backlog=1024)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--items", type=int, default=30)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.feeds, arguments.items))
