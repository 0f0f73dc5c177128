"""What the desk asks of other rooms beyond the database: a look at a feed, a list of feeds, the switch of the champion."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import ModelUnavailable, UsageError
from pipeline.settings import Settings
from pipeline.store.engine import Connection, Engine


def check_feed(settings: Settings, url: str, *, as_of: datetime) -> dict[str, Any]:
    """What a poll of this address would bring; nothing is stored. Raises UsageError with the reason if it brings nothing."""
    from pipeline.ingest.checking import check_address

    report = check_address(url, settings, as_of)
    if report["error"]:
        raise UsageError(str(report["error"]), "check the address")
    if not report.get("items"):
        raise UsageError("this is a feed without items", "add it once it has some")
    return report


def add_feed(connection: Connection, *, name: str, url: str, title: str, as_of: datetime) -> int:
    """Adds a feed, due at once. Raises UsageError for a name or address that is no good or is there already."""
    from pipeline.ingest.lists import check_feed as check_row
    from pipeline.store import feeds

    row = {"name": name, "url": url, "title": title}
    mistakes = check_row(row)
    if mistakes:
        raise UsageError("the feed was not added: " + ", ".join(mistakes), "change it and add it again")
    return feeds.add_feed(connection, row, as_of)


def import_opml(connection: Connection, data: bytes, *, as_of: datetime) -> tuple[int, int]:
    """Adds the feeds of an OPML document that are not configured yet; returns (found, added). Raises InputFileError."""
    from pipeline.ingest.opml import read_opml
    from pipeline.store import feeds

    with tempfile.NamedTemporaryFile(suffix=".opml") as file:
        file.write(data)
        file.flush()
        found = read_opml(Path(file.name))
    return len(found), feeds.add_missing(connection, found, as_of)


def model_directory(engine: Engine, settings: Settings, connection: Connection, version: str) -> Path | None:
    """Where the files of a version are; None is the starter inside the package. Raises ModelUnavailable."""
    from pipeline import run
    from pipeline.store import models

    stored = models.find_model(connection, version)
    if stored is None:
        raise ModelUnavailable(f"there is no model {version}", "look at the page of models")
    return run.model_path(run.Line(settings, engine), stored)


def promote(
    engine: Engine, settings: Settings, version: str, *, by: str, reason: str, as_of: datetime
) -> None:
    """Makes `version` champion and queues the history for it; its files are verified first. Raises UndertowError."""
    from model.errors import ModelError
    from pipeline import promotion, run

    try:
        promotion.promote(run.Line(settings, engine), version, by=by, reason=reason, as_of=as_of)
    except ModelError as error:
        raise UsageError(
            f"the files of {version} do not verify: {error}", "bring them back, or choose another"
        ) from error
