"""Feeds: how each does and why it is polled when it is; add one after a look at it; OPML in and out."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, UploadFile
from fastapi.responses import Response

from pipeline.desk import doors
from pipeline.desk.context import Ask, Plain, SmallId, checks_form, needs
from pipeline.desk.edge import OPML_BYTES
from pipeline.errors import UndertowError, UsageError
from pipeline.ingest.opml import write_opml
from pipeline.store import desk_feeds

router = APIRouter()

OPERATES = [needs("operator"), Depends(checks_form)]
Name = Annotated[Plain, Form(min_length=1, max_length=80)]
Address = Annotated[Plain, Form(min_length=8, max_length=2000)]


@router.get("/feeds")
def feeds(ask: Ask) -> Response:
    with ask.desk.reading() as connection:
        rows = desk_feeds.feeds(connection, ask.as_of)
    return ask.page("feeds.html", feeds=rows, found=None, problem=None, url="", name="")


@router.get("/feeds.opml")
def export_opml(ask: Ask) -> Response:
    with ask.desk.reading() as connection:
        rows = desk_feeds.feeds(connection, ask.as_of)
    text = write_opml([(row["title"] or row["name"], row["url"]) for row in rows])
    headers = {"Content-Disposition": 'attachment; filename="feeds.opml"'}
    return Response(text, media_type="text/x-opml; charset=utf-8", headers=headers)


@router.get("/feeds/{feed_id}")
def feed(ask: Ask, feed_id: SmallId) -> Response:
    with ask.desk.reading() as connection:
        found = desk_feeds.feed(connection, feed_id, ask.as_of)
    if found is None:
        raise HTTPException(404)
    return ask.page("feed.html", feed=found)


@router.post("/feeds/check", dependencies=OPERATES)
def check(ask: Ask, url: Address, name: Annotated[Plain, Form(max_length=80)] = "") -> Response:
    """Fetches and parses the feed without storing anything, and shows what it brings."""
    found, problem = None, None
    try:
        found = doors.check_feed(ask.desk.settings, web_feed(url), as_of=ask.as_of)
    except UndertowError as error:
        problem = error
    with ask.desk.reading() as connection:
        rows = desk_feeds.feeds(connection, ask.as_of)
    name = name or _short_name(url)
    return ask.page(
        "feeds.html",
        status=200 if found else 400,
        feeds=rows,
        found=found,
        problem=problem,
        url=url,
        name=name,
    )


@router.post("/feeds/add", dependencies=OPERATES)
def add(ask: Ask, url: Address, name: Name, title: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    found = doors.check_feed(ask.desk.settings, web_feed(url), as_of=ask.as_of)
    with ask.desk.changing() as connection:
        made = doors.add_feed(
            connection, name=name, url=found["url"], title=title or found["title"], as_of=ask.as_of
        )
        ask.audit(connection, "add feed", name, url=found["url"])
    return ask.go(f"/feeds/{made}", "Added; it is polled in the next run.")


@router.post("/feeds/{feed_id}/enable", dependencies=OPERATES)
def enable(ask: Ask, feed_id: SmallId, enabled: Annotated[bool, Form()]) -> Response:
    with ask.desk.changing() as connection:
        if desk_feeds.set_paused(connection, feed_id, None if enabled else ask.as_of):
            ask.audit(connection, "resume feed" if enabled else "pause feed", feed_id)
    return ask.go(f"/feeds/{feed_id}", "No longer paused." if enabled else "Paused.")


@router.post("/feeds/import", dependencies=OPERATES)
def import_opml(ask: Ask, file: UploadFile) -> Response:
    """Adds the feeds of an OPML file that are not configured yet; their first poll is their check."""
    data = file.file.read(OPML_BYTES + 1)
    if len(data) > OPML_BYTES:
        raise UsageError(f"the file is larger than {OPML_BYTES // 1_000_000} MB", "split it")
    with ask.desk.changing() as connection:
        found, added = doors.import_opml(connection, data, as_of=ask.as_of)
        ask.audit(connection, "import opml", (file.filename or "")[:200], found=found, added=added)
    return ask.go("/feeds", f"{added} of {found} feeds are new; they are polled in the next run.")


def web_feed(url: str) -> str:
    """The address if it is one of a web feed. Raises UsageError."""
    parts = _parts(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise UsageError("this is not the address of a web feed", "write it as https://host/path")
    return url.strip()


def _parts(url: str) -> SplitResult:
    """The parts of an address; none where it cannot be read, as with a bracket that is not closed."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _short_name(url: str) -> str:
    """A name for a feed from its address: host and the last words of the path."""
    parts = _parts(url)
    words = [parts.hostname or "feed", *[word for word in parts.path.split("/") if word]]
    text = "-".join(words).removeprefix("www.").lower()
    return re.sub(r"[^a-z0-9.]+", "-", text)[:80].strip("-.") or "feed"
