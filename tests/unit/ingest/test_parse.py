"""Documents: RSS, Atom, JSON Feed, broken and hostile ones."""

import ast
import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import ParseError
from pipeline.ingest.articles import FeedOptions
from pipeline.ingest.links import safe_link
from pipeline.ingest.parse import (
    ITEM_LIMIT,
    ChallengePage,
    EmptyBody,
    HtmlPage,
    NotAFeed,
    ParserCrash,
    ParseTimeout,
    count_items,
    parse_feed,
)
from pipeline.ingest.parse_pool import ParsePool

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOM = Path(__file__).parents[3] / "pipeline"


def rss(inside: str, head: str = "") -> bytes:
    return f"<rss version='2.0'><channel><title>T</title>{head}{inside}</channel></rss>".encode()


def test_atom_and_rss_give_the_same() -> None:
    atom = parse_feed(
        b"<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title><entry><id>i</id><link href='https://e.com/1'/><title>News</title>"
        b"<updated>2026-11-23T10:00:00Z</updated><summary>Short</summary><content type='html'>&lt;p&gt;Long&lt;/p&gt;</content></entry></feed>",
        {},
    )
    (item,) = atom.items
    assert (item.guid, item.link, item.title, item.summary, item.content) == (
        "i",
        "https://e.com/1",
        "News",
        "Short",
        "<p>Long</p>",
    )
    assert item.published_raw == "2026-11-23T10:00:00Z"


def test_bare_ampersands_and_controls_are_mended_before_the_loose_parser_guesses() -> None:
    feed = parse_feed(
        rss(
            "<item><title>AT&T and S&P 500, J&J\x0b slip &amp; slide</title><description><![CDATA[a & b]]></description></item>"
        ),
        {},
    )
    assert feed.items[0].title == "AT&T and S&P 500, J&J slip & slide"
    assert feed.items[0].summary == "a & b"
    assert feed.warnings


def test_a_guid_that_is_no_address_is_no_link() -> None:
    feed = parse_feed(
        rss("<item><guid>1</guid><link>javascript:alert(1)</link><title>x</title></item>"),
        {},
    )
    assert safe_link(feed.items[0].link) is None
    assert feed.items[0].guid == "1"


def test_hints() -> None:
    feed = parse_feed(
        rss(
            "",
            "<ttl>20</ttl><skipHours><hour>0</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>",
        ),
        {},
    )
    assert feed.hints.ttl_s == 1_200
    assert feed.hints.skip_hours == {0}
    assert feed.hints.skip_days == {"sunday"}


def test_a_ttl_that_is_no_number_costs_no_items() -> None:
    feed = parse_feed(rss("<item><title>x</title></item>", "<ttl>²</ttl>"), {})
    assert (len(feed.items), feed.hints.ttl_s) == (1, None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", EmptyBody),
        (b" \n\x00", EmptyBody),
        (b"<!DOCTYPE html><html><body>x</body></html>", HtmlPage),
        (b"<html><title>Just a moment...</title></html>", ChallengePage),
        (b"\x89PNG\r\n\x1a\n", NotAFeed),
        (b'{"a": 1}', NotAFeed),
        (b"{broken", NotAFeed),
        (b"[" * 100_000, NotAFeed),
        (b"just words", NotAFeed),
    ],
)
def test_what_is_no_feed_has_a_name(body: bytes, error: type[ParseError]) -> None:
    with pytest.raises(error):
        parse_feed(body, {})


def test_json_feed_with_any_types() -> None:
    feed = parse_feed(
        b'\xef\xbb\xbf{"version":"https://jsonfeed.org/version/1","items":[{"id":1,"title":"A","tags":[1,"x"],"authors":"no"},3,{"id":{"a":1},"content_html":["no"]}]}',
        {},
    )
    assert [item.guid for item in feed.items] == ["1", None]
    assert feed.items[0].categories == ("x",)
    assert feed.lost == 1


def test_items_beyond_the_limit_are_cut_and_told() -> None:
    feed = parse_feed(rss("<item><title>x</title></item>" * (ITEM_LIMIT + 3)), {})
    assert len(feed.items) == ITEM_LIMIT
    assert "truncated:3" in feed.warnings


def test_the_independent_count() -> None:
    assert (
        count_items(b"<item><title>x</title></item><!-- <item> --><![CDATA[<entry>]]><items/><rss:item />")
        == 2
    )
    assert count_items("<entry/>".encode("utf-16")) == 1
    assert count_items(b"<?note <item > <item > ?><item/>") == 1


def test_entities_stay_unread() -> None:
    for doctype in (
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x SYSTEM "http://127.0.0.1:1/">',
        '<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;',
    ):
        body = f'<?xml version="1.0"?><!DOCTYPE rss [{doctype}]>'.encode() + rss(
            "<item><title>a&x;b</title></item>"
        )
        assert "root:" not in str(parse_feed(body, {}))
    bomb = (
        '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(8))
        + "]>"
    )
    assert len(str(parse_feed(bomb.encode() + rss("<item><title>&i;</title></item>"), {}))) < 10_000


def test_feedparser_is_only_given_bytes() -> None:
    """`feedparser.parse(str)` opens addresses and local files: it may be called in one place, with BytesIO."""
    calls = []
    for path in ROOM.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imports = any(
            isinstance(node, ast.Import) and any(name.name == "feedparser" for name in node.names)
            for node in ast.walk(tree)
        )
        if imports:
            calls += [(path.name, ast.unparse(node.args[0])) for node in ast.walk(tree)
                      if isinstance(node, ast.Call) and ast.unparse(node.func) == "feedparser.parse"]  # fmt: skip
    assert calls == [("parse.py", "io.BytesIO(body)")]


def test_a_worker_that_dies_or_hangs_costs_one_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that kill or stall the process; the next document is parsed as if nothing had happened."""
    good = rss("<item><title>Good news</title></item>")

    async def go() -> list[str]:
        results = []
        async with ParsePool(1, deadline_s=200, cpu_s=2) as pool:
            for sabotage, error in (
                (_Exit(), ParserCrash),
                (_Sleep(), ParseTimeout),
                (_Spin(), ParseTimeout),
            ):
                await pool.prepare(good, {}, "", FeedOptions(), NOW)
                pool._deadline_s = 1.0 if isinstance(sabotage, _Sleep) else 200
                with pytest.raises(error):
                    await pool.prepare(sabotage, {}, "", FeedOptions(), NOW)  # type: ignore[arg-type]
                pool._deadline_s = 200
            results = [draft.title for draft in (await pool.prepare(good, {}, "", FeedOptions(), NOW)).drafts]
        return results

    assert asyncio.run(go()) == ["Good news"]


class _Exit:
    """Ends the process that unpickles it, as a crash in native code would."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        import os

        return os._exit, (3,)


class _Sleep:
    """Stalls the process that unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        import time

        return time.sleep, (60,)


class _Spin:
    """Uses up the CPU of the process that unpickles it, as a quadratic parse would."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("all(True for _ in iter(int, 1))",)
