"""The fast reader of plain RSS against feedparser: the same to the letter, or not its business."""

import random

import pytest

from pipeline.ingest.parse import ITEM_LIMIT, parse_feed, parse_xml
from pipeline.ingest.parse_rss import parse_rss

NAMESPACES = (
    "xmlns:content='http://purl.org/rss/1.0/modules/content/' xmlns:dc='http://purl.org/dc/elements/1.1/'"
    " xmlns:sy='http://purl.org/rss/1.0/modules/syndication/' xmlns:slash='http://purl.org/rss/1.0/modules/slash/'"
    " xmlns:media='http://search.yahoo.com/mrss/' xmlns:atom='http://www.w3.org/2005/Atom'"
    " xmlns:itunes='http://www.itunes.com/DTDs/PodCast-1.0.dtd' xmlns:own='https://e.example/ns'"
)
TEXTS = (
    "Profit rises 5 %", "", "  AT&amp;T \n said ", "a &lt;b&gt; c", "<![CDATA[<p>x &nbsp; y</p>]]>", "Zürich — “quoted”", "Ã¼ber",
    "a<!-- hidden -->b", "x<![CDATA[y]]>z", "\u0093Windows\u0094", "股价上涨", "&#x1F680; &#233;", "caf\u00e9 &amp;eacute;",
)  # fmt: skip
LINKS = (
    "https://e.example/a?x=1&amp;y=2", "", "https://e.example/a?x=1&amp;amp;y=2;&amp;copy;", "not-a-link", "/relative", "https:///e.example/a",
    " https://e.example/b ", "javascript:alert(1)", "mailto:a@e.example", "http://[broken",
)  # fmt: skip
DATES = ("Mon, 23 Nov 2026 10:00:00 GMT", "", "2026-11-23T10:00:00Z", "yesterday")
AUTHORS = ("desk@e.example (Jane Doe)", "Jane Doe", "", "Jane &lt;jane@e.example&gt;")
PIECES = (
    ("<title>{}</title>", TEXTS), ("<title type='html'>{}</title>", TEXTS), ("<dc:title>{}</dc:title>", TEXTS),
    ("<link>{}</link>", LINKS), ("<link rel='x'>{}</link>", LINKS), ("<atom:link href='{}'/>", LINKS[:3]),
    ("<guid>{}</guid>", LINKS), ("<guid isPermaLink='false'>{}</guid>", (*LINKS, *TEXTS)), ("<guid isPermaLink='true'>{}</guid>", LINKS),
    ("<description>{}</description>", TEXTS), ("<content:encoded>{}</content:encoded>", TEXTS), ("<summary>{}</summary>", TEXTS),
    ("<pubDate>{}</pubDate>", DATES), ("<dc:date>{}</dc:date>", DATES), ("<pubdate>{}</pubdate>", DATES),
    ("<author>{}</author>", AUTHORS), ("<dc:creator>{}</dc:creator>", AUTHORS), ("<itunes:author>{}</itunes:author>", AUTHORS),
    ("<category>{}</category>", TEXTS), ("<category>markets</category>{}", ("",)), ("<category domain='d'>{}</category>", TEXTS),
    ("<source url='https://e.example/f'>{}</source>", TEXTS), ("<source>{}</source>", TEXTS), ("<comments>{}</comments>", LINKS),
    ("<enclosure url='{}' type='audio/mpeg' length='1'/>", LINKS[:1]), ("<slash:comments>{}</slash:comments>", ("3", "")),
    ("<media:content url='{}' medium='image'/>", LINKS[:1]), ("<media:content><media:title>{}</media:title></media:content>", TEXTS),
    ("<media:thumbnail url='{}'/>", LINKS[:1]), ("<own:title>{}</own:title>", TEXTS), ("{}", ("stray text", "<!-- x -->", "<?pi?>", "\n")),
    ("<description><p>{}</p></description>", TEXTS[:3]), ("<title xml:lang='de'>{}</title>", TEXTS),
)  # fmt: skip
USUAL = tuple(n for n, (form, _) in enumerate(PIECES) if form.split(">")[0].split(" ")[0] in
              ("<title", "<link", "<guid", "<description", "<content:encoded", "<pubDate", "<dc:creator", "<category"))  # fmt: skip
CHANNEL = (
    "<title>T &amp; Co</title>", "<title>Second</title>", "<language>en_US</language>", "<language/>", "<ttl>30</ttl>", "<ttl>x</ttl>",
    "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>", "<image><title>Logo</title><url>u</url></image>",
    "<skipHours><hour>3</hour></skipHours>", "<item><title>Between</title></item>", "<atom:link rel='self' href='https://e.example/f'/>",
    "<media:title>M</media:title>", "<dc:language>fr</dc:language>", "<description>D</description>", "<textInput><title>S</title></textInput>",
    "<own:box><item><title>Inner</title></item></own:box>",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {}, {"content-type": "application/rss+xml; charset=utf-8"}, {"content-type": "text/xml"}, {"content-type": "application/xml"},
    {"content-type": "text/xml; charset=UTF-8", "content-language": "de"}, {"content-type": "text/html"}, {"content-length": "7"},
    {"content-type": "application/rss+xml; charset=iso-8859-1"},
)  # fmt: skip
DECLARATIONS = ("", "<?xml version='1.0' encoding='utf-8'?>", "<?xml version='1.0' encoding='utf-8'?>", '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n',
                "<?xml version='1.0'?>", "<?xml version='1.0' encoding='iso-8859-1'?>", "\ufeff", "\n")  # fmt: skip


def document(rng: random.Random) -> bytes:
    odd = rng.random() < 0.3
    items = "".join(f"<item>{item(rng, odd)}</item>" for _ in range(rng.randint(0, 3)))
    channel = "".join(rng.sample(CHANNEL if odd else CHANNEL[:9:2], rng.randint(0, 3)))
    order = channel + items if rng.random() < 0.8 else items + channel
    version = rng.choice(("2.0",) * 8 + ("0.92",))
    return f"{rng.choice(DECLARATIONS)}<rss version='{version}' {NAMESPACES}><channel>{order}</channel></rss>".encode()


def item(rng: random.Random, odd: bool) -> str:
    chosen = rng.sample(range(len(PIECES)) if odd else USUAL, rng.randint(0, 5))
    return "".join(PIECES[n][0].format(rng.choice(PIECES[n][1])) for n in chosen)


def test_what_it_reads_is_what_feedparser_reads() -> None:
    rng, read = random.Random(5), 0
    for _ in range(2_500):
        body, headers = document(rng), rng.choice(HEADERS)
        found = parse_rss(body, headers)
        if found is not None:
            read += 1
            assert found == parse_xml(body, headers), body.decode()
    assert read > 300


@pytest.mark.parametrize("item_", [
    "<title>a</title><title>b</title>", "<title>a <b>bold</b></title>", "<media:group><media:title>x</media:title></media:group>",
    "<guid xml:base='https://e.example'>x</guid>", "<title>&nbsp;</title>", "<title>AT&T</title>", "<title>\x0b</title>",
])  # fmt: skip
def test_what_is_not_plain_is_left_to_feedparser(item_: str) -> None:
    body = f"<rss version='2.0' {NAMESPACES}><channel><item>{item_}</item></channel></rss>".encode()
    assert parse_rss(body, {}) is None
    assert len(parse_feed(body, {}).items) == 1


def test_documents_that_could_mean_another_encoding_or_an_entity_are_left_to_feedparser() -> None:
    inside = "<rss version='2.0'><channel><item><title>Zürich</title></item></channel></rss>"
    assert parse_rss(inside.encode("utf-8"), {}) is not None
    assert parse_rss(inside.encode("latin-1"), {}) is None
    assert parse_rss(inside.encode("utf-16"), {}) is None
    assert parse_rss(b"<!DOCTYPE rss [<!ENTITY a 'b'>]>" + inside.encode(), {}) is None
    assert parse_rss(b"<?xml version='1.0' encoding='windows-1252'?>" + inside.encode(), {}) is None


def test_long_feeds_are_cut_with_a_warning_here_too() -> None:
    items = "".join(f"<item><guid>{n}</guid></item>" for n in range(ITEM_LIMIT + 3))
    body = f"<rss version='2.0'><channel>{items}</channel></rss>".encode()
    found = parse_rss(body, {})
    assert found is not None
    assert found == parse_xml(body, {})
    assert (len(found.items), found.warnings, found.lost) == (ITEM_LIMIT, ("truncated:3",), 0)
