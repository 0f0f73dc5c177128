"""Lists of feeds as OPML 2.0, to and from other readers. What is read is hostile until shown otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from pipeline.errors import InputFileError
from pipeline.notify.card import clean, web_address

MOST_FEEDS = 5_000


def write_opml(feeds: Iterable[tuple[str, str, str]]) -> bytes:
    """OPML of (name, title, url)."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = "Feeds of Undertow"
    body = etree.SubElement(root, "body")
    for name, title, url in feeds:
        text = clean(title, 200) or clean(name, 200)
        etree.SubElement(body, "outline", type="rss", text=text, title=text, xmlUrl=clean(url, 2000))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def read_opml(data: bytes, *, limit_bytes: int) -> list[tuple[str, str]]:
    """(title, url) of each feed, doubles left out. Raises InputFileError."""
    if len(data) > limit_bytes:
        raise InputFileError(f"the file is larger than {limit_bytes // 1_000_000} MB", "split it")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputFileError("this is not an OPML file", "export it again as OPML") from error
    found: dict[str, str] = {}
    for outline in root.iter("outline"):
        url = web_address(outline.get("xmlUrl"))
        if url is not None and len(found) < MOST_FEEDS:
            found.setdefault(url, clean(outline.get("title") or outline.get("text"), 200))
    if not found:
        raise InputFileError("the file names no web feed", "its outlines need an xmlUrl with http or https")
    return [(title, url) for url, title in found.items()]
