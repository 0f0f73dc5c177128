"""`undertow models`: versions, the champion and its history, promotion and the way back."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path

import typer

from pipeline.cli.output import JSON, print_json, say, table

app = typer.Typer(help="Model versions, the champion and its history.", no_args_is_help=True)
BY = typer.Option(None, help="Who does it (default: your login).")


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="models")


@app.command("list")
def list_models(as_json: bool = JSON) -> None:
    """List every model version, the newest first; * marks the champion.

    Example: undertow models list
    """
    from pipeline import run
    from pipeline.store import models

    with run.open_line() as line, line.engine.connect() as connection:
        found, current = models.list_models(connection), models.champion(connection)
    if as_json:
        print_json([{**asdict(model), "champion": model == current} for model in found])
        return
    rows = [
        ["*" if model == current else "", model.version, model.state, model.created_at, model.base_model]
        for model in found
    ]
    table(
        ["", "version", "state", "created", "base"],
        rows,
        empty="no model yet: `undertow score` registers the starter",
    )


@app.command("history")
def history(as_json: bool = JSON) -> None:
    """Tell who made which version champion, when and why.

    Example: undertow models history
    """
    from pipeline import run
    from pipeline.store import models

    with run.open_line() as line, line.engine.connect() as connection:
        events = models.alias_history(connection)
    if as_json:
        print_json([asdict(event) for event in events])
        return
    rows = [[event.set_at, event.version, event.set_by, event.reason] for event in events]
    table(
        ["when", "version", "by", "why"],
        rows,
        empty="no champion yet: `undertow score` makes the starter champion",
    )


@app.command("show")
def show(
    version: str | None = typer.Argument(None, help="The version (default: the champion)."),
    as_json: bool = JSON,
) -> None:
    """Show one version: where it comes from, its data and licences, its figures, when it was champion.

    Example: undertow models show 20260504-1a2b3c4d
    """
    from pipeline import promotion, run

    with run.open_line() as line:
        found = promotion.describe(line, version)
    if as_json:
        print_json(found)
        return
    data = found.pop("data")
    say({name: value for name, value in found.items() if value not in (None, "", [], {})}, False)
    rows = [
        [source["name"], source["licence"], source["examples"], source.get("origin", "")] for source in data
    ]
    table(["source", "licence", "examples", "origin"], rows, empty="it names no data")


@app.command("add")
def add(
    folder: Path = typer.Argument(metavar="DIR", help="A model directory, as `undertow finetune` writes it."),
    as_json: bool = JSON,
) -> None:
    """Bring a model directory in as a candidate: checked, copied under the home, registered; again changes nothing.

    Example: undertow models add runs/candidate
    """
    from pipeline import promotion, run

    with run.open_line() as line:
        found = promotion.add(line, folder)
    say(found, as_json)
    if not as_json:
        version = found["version"]
        typer.echo(f"compare it with the champion: undertow models compare {version}")
        typer.echo(f"make it champion: undertow models promote {version} --reason WHY")


@app.command("promote")
def promote(
    version: str = typer.Argument(help="The version to make champion."),
    reason: str = typer.Option(..., help="Why; kept in the history."),
    by: str | None = BY,
    as_json: bool = JSON,
) -> None:
    """Make a version champion by hand, past the gate; the DAG `history` re-scores what is there already.

    Without Airflow: undertow score --rescore VERSION --backlog --order newest

    Example: undertow models promote 20260504-1a2b3c4d --reason "checked by hand"
    """
    from pipeline import promotion, run

    with run.open_line() as line:
        say(promotion.promote(line, version, by=by or getpass.getuser(), reason=reason), as_json)


@app.command("rollback")
def rollback(
    reason: str = typer.Option("rolled back", help="Why; kept in the history."),
    by: str | None = BY,
    as_json: bool = JSON,
) -> None:
    """Make the version before the present champion champion again; takes a second, loses nothing.

    Example: undertow models rollback --reason "misses profit warnings"
    """
    from pipeline import promotion, run

    with run.open_line() as line:
        say(promotion.rollback(line, by=by or getpass.getuser(), reason=reason), as_json)


@app.command("compare")
def compare(
    one: str = typer.Argument(help="A version."),
    other: str | None = typer.Argument(None, help="Another one (default: the champion)."),
    as_json: bool = JSON,
) -> None:
    """Compare two versions on the frozen articles: what each has right, per class, and who wins.

    Example: undertow models compare 20260504-1a2b3c4d
    """
    from pipeline import promotion, run

    with run.open_line() as line:
        found = promotion.compare(line, one, other)
    if as_json:
        print_json(found)
        return
    first, second = found["versions"]
    rows = [[name, before, now] for name, (before, now) in found["figures"].items()]
    table(["on the frozen articles", first, second], rows, empty="no frozen articles with labels")
    typer.echo(found["sentence"])
