"""Links: http(s) or nothing, and one key for all copies of a page."""

import pytest

from pipeline.ingest.links import canonical_link, safe_link, url_key


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", " JaVaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://x/y", "http://", "//",
     "http://user:pw@host/", "http://[::1", "vbscript:x", "http://host:99999/", "", None, "http://h/" + "x" * 3000],
)  # fmt: skip
def test_unsafe_links_become_none(value: str | None) -> None:
    assert safe_link(value) is None


def test_relative_links_are_completed_and_odd_characters_quoted() -> None:
    assert safe_link("/a b", "https://e.com/feed") == "https://e.com/a%20b"
    assert safe_link('https://e.com/"><script>') == "https://e.com/%22%3E%3Cscript%3E"


SAME = [
    "https://www.example.com/news/1?utm_source=rss&utm_medium=feed",
    "http://example.com/news/1",
    "https://example.com/news/1/?mod=rss_markets&.tsrc=rss#top",
    "https://example.com/news/1?cmpid=x&guccounter=1&CMP=share",
    "https://example.com:443/news/1?fbclid=abc",
]


def test_copies_of_a_page_share_a_key() -> None:
    assert {url_key(link) for link in SAME} == {url_key(SAME[0])}


def test_what_tells_pages_apart_is_kept() -> None:
    links = [f"https://example.com/story?{query}" for query in ("id=5", "id=6", "p=5", "newsid=5", "")]
    assert len({url_key(link) for link in links}) == len(links)


def test_addresses_that_name_no_page_have_no_key() -> None:
    assert canonical_link("https://example.com/") is None
    assert url_key("https://news.google.com/rss/articles/CBMiabc?oc=5") is None
    assert url_key(None) is None
