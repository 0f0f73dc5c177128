"""`undertow feeds ...`: the feeds, how they do, and why they are polled when they are."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import typer

from model.writable import check_file, writing
from pipeline.cli.output import JSON, print_json, say, table
from pipeline.errors import UsageError

app = typer.Typer(help="List, add, check and explain feeds.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="feeds")


def find(connection: Any, name: str) -> Any:
    """The feed by name or address. Raises UsageError with the nearest names."""
    from pipeline.store import feeds

    row = feeds.find_feed(connection, name)
    if row is None:
        near = difflib.get_close_matches(name, feeds.feed_names(connection), n=3)
        raise UsageError(
            f"there is no feed {name!r}",
            f"did you mean {', '.join(near)}?" if near else "`undertow feeds list` shows them",
        )
    return row


@app.command("list")
def list_feeds(as_json: bool = JSON) -> None:
    """Every feed with its health and its next poll.

    Example: undertow feeds list
    """
    from pipeline import run
    from pipeline.store import feeds

    with run.open_line() as line, line.engine.connect() as connection:
        rows = feeds.list_feeds(connection)
    if as_json:
        print_json([dict(row._mapping) for row in rows])
        return
    table(
        ("feed", "status", "last new", "next", "articles 24 h", "last error"),
        [
            (
                r.name,
                _status(r),
                r.last_new_item_at,
                r.next_due_at or "at once" if r.enabled and r.paused_at is None else "none",
                r.articles_24h,
                r.error_class,
            )
            for r in rows
        ],
        empty="no feeds yet; write them into feeds.toml and run `undertow feeds sync`",
    )


@app.command()
def sync(as_json: bool = JSON) -> None:
    """Bring the tables in line with feeds.toml; every mistake in it is told at once.

    Example: undertow feeds sync
    """
    from pipeline import run
    from pipeline.ingest.step import sync_feeds

    with run.open_line() as line:
        say(sync_feeds(line.engine, line.settings.feeds_file, as_of=run.now()), as_json)


@app.command()
def add(
    name: str = typer.Argument(..., help="Short name: lower-case letters, digits, hyphens."),
    url: str = typer.Argument(..., help="Address of the feed."),
    title: str = typer.Option("", help="Title of the outlet."),
    language: str | None = typer.Option(
        None, help="ISO 639-1 code to assume; without it each article is looked at."
    ),
    default_tz: str | None = typer.Option(None, "--tz", help="IANA zone for dates without one."),
    unchecked: bool = typer.Option(False, "--unchecked", help="Add it although it cannot be fetched now."),
    as_json: bool = JSON,
) -> None:
    """Fetch a feed once; if it brings articles, add it (origin desk: feeds.toml does not remove it).

    Example: undertow feeds add acme-press https://acme.example/feed.xml
    """
    from pipeline import run
    from pipeline.ingest.checking import check_address
    from pipeline.ingest.lists import check_feed
    from pipeline.store import feeds

    row = {"name": name, "url": url, "title": title, "language": language, "default_tz": default_tz}
    row = {key: value for key, value in row.items() if value is not None}
    mistakes = check_feed(row)
    if mistakes:
        raise UsageError("the feed was not added: " + ", ".join(mistakes), "see `undertow feeds add --help`")
    with run.open_line() as line:
        checked = check_address(url, line.settings, run.now())
        if checked["error"] and not unchecked:
            raise UsageError(
                f"the feed was not added: {checked['error']}", "--unchecked adds it all the same"
            )
        with line.engine.begin() as connection:
            feeds.add_feed(connection, row, run.now())
    say({"added": name, **checked}, as_json)


@app.command()
def check(
    feed: str = typer.Argument(..., help="Name of a feed, or any address."), as_json: bool = JSON
) -> None:
    """Fetch a feed once, store nothing, and show what came: status, items, dates, warnings.

    A feed that was given up as gone is polled again if it answers.

    Example: undertow feeds check https://www.federalreserve.gov/feeds/press_all.xml
    """
    from pipeline import run
    from pipeline.ingest.checking import check_address
    from pipeline.store import feeds

    with run.open_line() as line:
        if "://" in feed:
            report = check_address(feed, line.settings, run.now())
        else:
            with line.engine.connect() as connection:
                row = find(connection, feed)
            report = check_address(row.url, line.settings, run.now(), default_tz=row.default_tz)
            if not report["error"]:
                with line.engine.begin() as connection:
                    report["revived"] = feeds.revive(connection, row.id)
    say(report, as_json)
    if report["error"]:
        raise typer.Exit(1)


@app.command()
def why(feed: str = typer.Argument(..., help="Name or address of a feed."), as_json: bool = JSON) -> None:
    """When a feed is polled next and which rule says so, with its last polls.

    Example: undertow feeds why fed-press
    """
    from pipeline import run
    from pipeline.ingest.checking import explain

    with run.open_line() as line, line.engine.connect() as connection:
        explained = explain(connection, find(connection, feed), run.now())
    if as_json:
        print_json(explained)
        return
    typer.echo(explained["sentence"])
    table(
        ("polled", "outcome", "status", "new", "ms", "error"),
        [
            (p["started_at"], p["outcome"], p["http_status"], p["new"], p["duration_ms"], p["error_message"])
            for p in explained["polls"]
        ],
        empty="it was never polled",
    )


@app.command()
def health(as_json: bool = JSON) -> None:
    """What is wrong with feeds: failing, silent, bad dates, shrunken texts. Tells the operator what is new.

    Example: undertow feeds health
    """
    from pipeline import run
    from pipeline.ingest.step import feed_health

    with run.open_line() as line:
        found = feed_health(line.engine, settings=line.settings, as_of=run.now())
    if as_json:
        print_json(found)
        return
    for problem in found["problems"]:
        typer.echo(problem)
    typer.echo(
        f"{found['feeds']} feeds, {len(found['problems'])} problems, {found['told']} told to the operator"
    )


@app.command("import-opml")
def import_opml(
    file: Path = typer.Argument(..., help="OPML file of a feed reader."),
    as_json: bool = JSON,
) -> None:
    """Add the feeds of an OPML file (origin desk), unchecked; those that are there already stay as they are.

    Example: undertow feeds import-opml subscriptions.opml
    """
    from pipeline import run
    from pipeline.ingest.opml import read_opml
    from pipeline.store import feeds

    entries = read_opml(file)
    with run.open_line() as line, line.engine.begin() as connection:
        added = feeds.add_missing(connection, entries, run.now())
    say({"found": len(entries), "added": added}, as_json)


@app.command("export-opml")
def export_opml(
    file: Path | None = typer.Argument(None, help="Where to; without it, standard output."),
) -> None:
    """Write the configured feeds as OPML, for any feed reader.

    Example: undertow feeds export-opml feeds.opml
    """
    from pipeline import run
    from pipeline.ingest.opml import write_opml
    from pipeline.store import feeds

    check_file(file)
    with run.open_line() as line, line.engine.connect() as connection:
        document = write_opml([(row.title or row.name, row.url) for row in feeds.list_feeds(connection)])
    if file is None:
        typer.echo(document)
    else:
        with writing(file):
            file.write_text(document, encoding="utf-8")


def _status(row: Any) -> str:
    if row.paused_at is not None:
        return "paused"
    if not row.enabled:
        return "disabled"
    return "silent" if row.status == "ok" and row.silent else str(row.status)
