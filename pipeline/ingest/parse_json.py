"""JSON Feed (versions 1 and 1.1) -> the same ParsedFeed as XML. Pure; every field may have any type."""

import json
from collections.abc import Iterable
from typing import Any

from pipeline.ingest.parse import (
    CATEGORY_LIMIT,
    ITEM_LIMIT,
    NotAFeed,
    ParsedFeed,
    ParsedItem,
)
from pipeline.ingest.text import CONTENT_LIMIT, MARKUP_FACTOR, SUMMARY_LIMIT, TITLE_LIMIT


def parse_json_feed(body: bytes) -> ParsedFeed:
    """The items of a JSON Feed document. Raises NotAFeed where it is other JSON, or none."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotAFeed(
            "the answer looks like JSON but cannot be read", "look at the address in a browser"
        ) from error
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or not _is_json_feed(document):
        raise NotAFeed("the answer is JSON but no JSON Feed", "look for a feed address of the site")
    usable = [item for item in items if isinstance(item, dict)]
    warnings = [f"truncated:{len(usable) - ITEM_LIMIT}"] if len(usable) > ITEM_LIMIT else []
    return ParsedFeed(
        title=_text(document, "title", TITLE_LIMIT),
        language=_text(document, "language", 35) or None,
        format="json",
        items=tuple(_item(item) for item in usable[:ITEM_LIMIT]),
        warnings=tuple(warnings),
        lost=len(items) - len(usable),
    )


def _is_json_feed(document: dict[str, Any]) -> bool:
    version = document.get("version")
    return (isinstance(version, str) and "jsonfeed.org" in version) or "items" in document


def _item(item: dict[str, Any]) -> ParsedItem:
    content = _text(item, "content_html", CONTENT_LIMIT * MARKUP_FACTOR) or _text(
        item, "content_text", CONTENT_LIMIT * 2
    )
    return ParsedItem(
        guid=_identifier(item.get("id")),
        link=_text(item, "url", 4_096) or _text(item, "external_url", 4_096) or None,
        title=_text(item, "title", TITLE_LIMIT * 4),
        summary=_text(item, "summary", SUMMARY_LIMIT * MARKUP_FACTOR),
        content=content,
        author=", ".join(_authors(item)),
        categories=tuple(
            tag[:200] for tag in _list(item, "tags")[:CATEGORY_LIMIT] if isinstance(tag, str) and tag.strip()
        ),
        published_raw=_text(item, "date_published", 200) or _text(item, "date_modified", 200) or None,
        language=_text(item, "language", 35) or None,
    )


def _identifier(value: Any) -> str | None:
    """The specification wants a string and allows a number to be read as one."""
    if isinstance(value, str):
        return value[:2_048] or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _authors(item: dict[str, Any]) -> Iterable[str]:
    for author in [*_list(item, "authors"), item.get("author")]:
        if isinstance(author, dict) and isinstance(author.get("name"), str):
            yield author["name"][:200]


def _text(mapping: dict[str, Any], name: str, limit: int) -> str:
    value = mapping.get(name)
    return value[:limit] if isinstance(value, str) else ""


def _list(mapping: dict[str, Any], name: str) -> list[Any]:
    value = mapping.get(name)
    return value if isinstance(value, list) else []
