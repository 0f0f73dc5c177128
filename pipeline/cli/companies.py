"""`undertow companies ...`: the watch list."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.output import JSON, print_json, say, table

app = typer.Typer(help="List, sync and try the watch list of companies.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="companies")


@app.command("list")
def list_companies(as_json: bool = JSON) -> None:
    """The watch list with the number of mentions.

    Example: undertow companies list
    """
    from pipeline import run
    from pipeline.store import companies

    with run.open_line() as line, line.engine.connect() as connection:
        rows = companies.list_companies(connection)
    if as_json:
        print_json([dict(row._mapping) for row in rows])
        return
    table(
        ("company", "ticker", "sector", "mentions", "on"),
        [(row.name, row.ticker, row.sector, row.mentions, "yes" if row.enabled else "no") for row in rows],
        empty="nobody is watched; write companies.toml and run `undertow companies sync`",
    )


@app.command()
def sync(as_json: bool = JSON) -> None:
    """Bring the watch list in line with companies.toml; every mistake in it is told at once.

    Example: undertow companies sync
    """
    from pipeline import run
    from pipeline.ingest.step import sync_companies

    with run.open_line() as line:
        say(sync_companies(line.engine, line.settings.companies_file, as_of=run.now()), as_json)


@app.command("import-csv")
def import_csv(
    file: Path = typer.Argument(
        ..., help="CSV with name (or Security), ticker (or Symbol), sector; aliases separated by |."
    ),
    as_json: bool = JSON,
) -> None:
    """Add companies from a CSV list such as the S&P 500's constituents; companies.toml wins where both name one.

    Names that are common words (Target, Visa) are matched with care; what the press calls a company (Dell for Dell Technologies)
    is an alias where it means nobody else. A company that left the list is switched off.

    Example: undertow companies import-csv sp500_constituents.csv
    """
    from pipeline import run
    from pipeline.ingest.step import import_companies

    with run.open_line() as line:
        say(import_companies(line.engine, file, as_of=run.now()), as_json)


@app.command()
def match(
    text: str = typer.Argument(..., help="A headline, or any text; its first line is the title."),
    as_json: bool = JSON,
) -> None:
    """Show which companies of the watch list a text names, and how relevantly.

    Example: undertow companies match "Ford cuts outlook as Target's sales fall"
    """
    from pipeline import run
    from pipeline.ingest.mentions import WatchList
    from pipeline.store import companies

    with run.open_line() as line, line.engine.connect() as connection:
        watched = companies.watched(connection)
    names = {company.id: company.name for company in watched}
    found = WatchList(watched).find(text, len(text.partition("\n")[0]))
    shown = [
        (
            names[m.company_id],
            m.relevance,
            ", ".join(dict.fromkeys(text[start:end] for start, end in m.spans)),
        )
        for m in found
    ]
    if as_json:
        print_json([dict(zip(("company", "relevance", "named_as"), row, strict=True)) for row in shown])
        return
    table(("company", "relevance", "named as"), shown, empty="no company of the watch list")
