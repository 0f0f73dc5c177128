"""Documents that attack: markup in titles and links, and shapes that make parsers slow. Through the worker, as feeds go."""

import asyncio
import importlib.metadata
from datetime import UTC, datetime

import jinja2
import pytest
import urllib3
from lxml import html

from pipeline.errors import ParseError
from pipeline.ingest.articles import FeedOptions, Prepared
from pipeline.ingest.parse import ITEM_LIMIT, HtmlPage, NotAFeed
from pipeline.ingest.parse_pool import ParsePool
from pipeline.ingest.parse_worker import work

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MB = 1_000_000
PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg/onload=alert(1)//", "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>", "<a href='javascript:alert(1)'>x</a>", "<a href=' java\tscript:alert(1)'>x</a>",
    "<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)></video>",
    "<math><mtext></math><img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>", "--><script>alert(1)</script>", "]]><script>alert(1)</script>", "<scr<script>ipt>alert(1)</script>",
    "<<script>alert(1)//<</script>", "<img src=`x` onerror=alert(1)>", "<object data='data:text/html,<script>alert(1)</script>'>",
    "<embed src='javascript:alert(1)'>", "<form action='javascript:alert(1)'><button>x", "<base href='javascript:alert(1)//'>",
    "<link rel=stylesheet href='javascript:alert(1)'>", "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<style>@import 'javascript:alert(1)'</style>", "<p style='background:url(javascript:alert(1))'>x</p>", "<marquee onstart=alert(1)>x",
    "<template><script>alert(1)</script></template>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "%3Cscript%3Ealert(1)%3C/script%3E",
    "\u003cscript\u003ealert(1)\u003c/script\u003e", "<script\x00>alert(1)</script>", "<\u200bscript>alert(1)</script>", "{{7*7}}", "${7*7}", "<!--[if IE]><script>alert(1)</script>-->",
)  # fmt: skip
LINKS = ("javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,<script>alert(1)</script>",
         "vbscript:x", "file:///etc/passwd", "//e.example/<script>", "https://e.example/\"onmouseover=alert(1)", "https://u:p@e.example/")  # fmt: skip
PAGE = jinja2.Environment(autoescape=True).from_string("<p title='{{ text }}'>{{ text }}</p>")


def prepared(inside: str, head: str = "") -> Prepared:
    body = f"<rss version='2.0'><channel>{head}<item>{inside}</item></channel></rss>".encode()
    found = work((body, {}, "https://e.example/feed", FeedOptions(), NOW))
    assert isinstance(found, Prepared)
    return found


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_a_feed_becomes_markup_on_a_page(payload: str) -> None:
    inside = "".join(
        f"<{tag}><![CDATA[News {payload.replace(']]>', '')}]]></{tag}>" for tag in ("title", "description", "author", "category")
    )  # fmt: skip
    found = prepared(inside, f"<title><![CDATA[{payload.replace(']]>', '')}]]></title>")
    (draft,) = found.drafts
    for text in (draft.title, draft.summary, draft.author or "", draft.source, *draft.categories):
        shown = html.fragment_fromstring(PAGE.render(text=text))
        assert (len(shown), list(shown.attrib)) == (0, ["title"]), text
        assert "\x00" not in text


@pytest.mark.parametrize("link", LINKS)
def test_no_link_of_a_feed_runs_or_breaks_out(link: str) -> None:
    (draft,) = prepared(f"<title>T</title><link><![CDATA[{link}]]></link>").drafts
    assert draft.url is None or draft.url.startswith(("http://", "https://"))
    assert not set(draft.url or "") & set("\"'<> \n")


@pytest.mark.parametrize(
    "body",
    [
        b"<rss version='2.0'><channel>" + b"<a>" * (MB // 3),
        b"<rss version='2.0'><channel>" + b"<a>" * (MB // 7) + b"</a>" * (MB // 7) + b"</channel></rss>",
        b"<rss version='2.0'><channel><item " + b" ".join(b"a%d='1'" % n for n in range(MB // 11)) + b"/></channel></rss>",
        b"<rss version='2.0' " + b" ".join(b"xmlns:n%d='u%d'" % (n, n) for n in range(MB // 22)) + b"><channel/></rss>",
        b"<rss version='2.0'><channel><item><title>" + b"<!--" * (MB // 4),
        b"<rss version='2.0'><channel><item><title><![CDATA[" + b"<![CDATA[" * (MB // 9),
        b"<rss version='2.0'><channel><item><title>" + b"&amp;lt;" * (MB // 8) + b"</title></item></channel></rss>",
        b"<rss version='2.0'><channel><item><description>" + b"&lt;div&gt;" * (MB // 11) + b"</description></item></channel></rss>",
        b"<rss version='2.0'><channel>" + b"<item/>" * (MB // 7) + b"</channel></rss>",
        b"<rss version='2.0'><channel>" + b"<item><category>x</category></item>" * (MB // 35) + b"</channel></rss>",
        b"<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(b"<!ENTITY a%d '&a%s;&a%s;'>" % (n, str(n - 1 or "").encode(), str(n - 1 or "").encode()) for n in range(1, 40)) + b"]><rss><channel><item><title>&a39;</title></item></channel></rss>",
        b"{" * MB,
        b"[" * MB,
    ],
    ids=("open", "deep", "attributes", "namespaces", "comments", "cdata", "entities", "nested-html", "items", "categories", "bomb", "braces", "brackets"),
)  # fmt: skip
def test_a_hostile_megabyte_ends_with_a_typed_result(body: bytes) -> None:
    """The shipped limit is 10 s of CPU; 1 s here, for what would need more is ended by the kernel all the same."""

    async def go() -> Prepared:
        async with ParsePool(1, cpu_s=1) as pool:
            return await pool.prepare(body, {}, "https://e.example/feed", FeedOptions(), NOW)

    try:
        assert asyncio.run(go()).seen <= ITEM_LIMIT
    except ParseError as error:
        assert type(error).__name__ in ("NotAFeed", "ParserFailed", "ParseTimeout")  # noqa: PT017 - either is right


@pytest.mark.parametrize(("tag", "error"), [(b"<x", NotAFeed), (b"<html>", HtmlPage)])
def test_comments_before_a_tag_are_read_in_one_way(tag: bytes, error: type[ParseError]) -> None:
    """Where a comment may run over its end, 60 of them have 2**60 readings."""

    async def go() -> None:
        async with ParsePool(1, cpu_s=1) as pool:
            with pytest.raises(error):
                await pool.prepare(b"<!----> " * 60 + tag, {}, "https://e.example/feed", FeedOptions(), NOW)

    asyncio.run(go())


def test_a_robots_txt_of_millions_of_rules_is_an_error_of_its_host() -> None:
    """Each rule holds for each agent before it: 100 kB make 21 million rules."""
    body = b"User-agent:x\n" + b"".join(b"User-agent:%d\n" % n for n in range(3_500)) + b"Allow:/\n" * 6_000

    async def go() -> None:
        async with ParsePool(1, cpu_s=1) as pool:
            with pytest.raises(ParseError):
                await pool.read_robots(body, ["https://e.example/a"], "us/1")
            found = await pool.read_robots(
                b"User-agent: us\nDisallow: /b\nCrawl-delay: 7\n",
                ["https://e.example/a", "https://e.example/b/1"],
                "us/1",
            )
            assert (found.delay_s, found.allowed) == (7.0, {"https://e.example/a"})

    asyncio.run(go())


def test_nothing_shadows_urllib3() -> None:
    """Some HTTP clients install a fork under its name, for everything else in the environment."""
    assert urllib3.__version__ == importlib.metadata.version("urllib3")
