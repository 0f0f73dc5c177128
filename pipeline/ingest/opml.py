"""OPML, the format in which feed readers exchange lists. Files from strangers: no entities, no network, bounded."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from pipeline.errors import InputFileError
from pipeline.ingest.links import host_of, safe_link
from pipeline.ingest.text import title

SIZE_LIMIT = 10 * 1024 * 1024


def read_opml(path: Path) -> list[dict[str, Any]]:
    """Feeds of an OPML file: name, url, title, tags (the folders). Raises InputFileError if it is none."""
    try:
        data = path.read_bytes()[:SIZE_LIMIT]
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True
        )
        root = etree.fromstring(data, parser)
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror})", "name an OPML file") from error
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputFileError(
            f"{path} cannot be read as OPML: {error}", "export it again from the reader"
        ) from error
    if root is None or etree.QName(root).localname.lower() != "opml":
        raise InputFileError(f"{path} is no OPML file", "export the subscriptions of a reader as OPML")
    found: dict[str, dict[str, Any]] = {}
    for outline in root.iter("outline"):
        url = safe_link(outline.get("xmlUrl") or outline.get("xmlurl"))
        if url:
            found.setdefault(url, _entry(outline, url))
    return list(found.values())


def write_opml(feeds: Sequence[tuple[str, str]]) -> str:
    """An OPML 2.0 document of (title, address) pairs."""
    lines = [
        f'    <outline type="rss" text={quoteattr(text)} xmlUrl={quoteattr(url)}/>' for text, url in feeds
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n  <head><title>Undertow</title></head>\n  <body>\n'
    return head + "\n".join(lines) + "\n  </body>\n</opml>\n"


def _entry(outline: etree._Element, url: str) -> dict[str, Any]:
    heading = title(outline.get("title") or outline.get("text") or "", 200).text
    name = re.sub(r"[^a-z0-9]+", "-", (heading or host_of(url)).lower()).strip("-")[:60] or "feed"
    folders = [title(parent.get("text") or "", 60).text for parent in outline.iterancestors("outline")]
    return {"name": name, "url": url, "title": heading, "tags": [folder for folder in folders if folder]}
