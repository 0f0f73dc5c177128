"""`undertow ingest`, `import-articles`, `parse`: how articles come in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.output import JSON, progress, say
from pipeline.errors import InputFileError, ParseError, UsageError


def register(root: typer.Typer) -> None:
    root.command("ingest")(ingest)
    root.command("import-articles")(import_articles)
    root.command("parse")(parse)


def ingest(
    feed: list[str] = typer.Option(
        [], "--feed", metavar="NAME", help="Only these feeds, due or not; may be repeated."
    ),
    sync: bool = typer.Option(
        True, help="First bring the tables in line with feeds.toml and companies.toml."
    ),
    as_json: bool = JSON,
) -> None:
    """Fetch the feeds that are due, store their articles, group them into stories.

    Example: undertow ingest --feed fed-press
    """
    from pipeline import run

    with run.open_line() as line:
        if sync and not feed:
            run.sync(line)
        say(run.ingest(line, _ids(line, feed) if feed else None), as_json)


def import_articles(
    file: Path = typer.Argument(..., help="CSV, JSON lines or Parquet with text, source, published time."),
    as_json: bool = JSON,
) -> None:
    """Bring an archive in as history: it feeds baselines and search, and never fires an alert.

    Times without a zone are read as UTC; a day without an hour counts as known at its end. The same file twice
    changes nothing.

    Example: undertow import-articles news-2025.parquet
    """
    from pipeline import run

    with run.open_line() as line, progress("importing", None) as advance:
        report = run.import_articles(line, file, progress=advance)
    say(report, as_json)


def parse(
    files: list[Path] = typer.Argument(..., help="Feed documents: RSS, Atom or JSON Feed."),
    url: str = typer.Option("", help="Address the documents came from; completes relative links."),
    tz: str | None = typer.Option(None, help="Zone of dates without one, e.g. America/New_York."),
) -> None:
    """Print the articles of feed files as JSON lines, or the typed error of each; needs no database.

    Example: undertow parse saved-feed.xml
    """
    failed = 0
    for file in files:
        try:
            for line in _parse_file(file, url, tz):
                typer.echo(line)
        except ParseError as error:
            failed += 1
            typer.echo(json.dumps({"file": str(file), "error": type(error).__name__, "message": str(error)}))
    if failed:
        sys.exit(1)


def _ids(line: Any, names: list[str]) -> list[int]:
    from pipeline.cli.feeds import find

    with line.engine.connect() as connection:
        return [find(connection, name).id for name in names]


def _parse_file(file: Path, url: str, tz: str | None) -> list[str]:
    from pipeline.ingest.articles import FeedOptions
    from pipeline.ingest.parse_pool import prepare_once
    from pipeline.run import now

    try:
        body = file.read_bytes()
    except OSError as error:
        raise InputFileError(f"{file} cannot be read: {error.strerror}", "name a feed document") from error
    if tz is not None:
        _check_zone(tz)
    prepared = prepare_once(body, url, FeedOptions(default_tz=tz), now())
    rows = [_shown(file, draft) for draft in prepared.drafts]
    rows += [
        {"file": str(file), "rejected": reject.reason, "detail": reject.detail} for reject in prepared.rejects
    ]
    return [json.dumps(row, ensure_ascii=False, default=str) for row in rows]


def _check_zone(tz: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"--tz {tz!r} is no IANA zone", "write one such as America/New_York") from None


def _shown(file: Path, draft: Any) -> dict[str, Any]:
    names = ("guid", "url", "source", "title", "summary", "body", "author", "categories", "language", "published_raw",
             "published_at", "date_status", "flags")  # fmt: skip
    return {"file": str(file)} | {name: getattr(draft, name) for name in names}
