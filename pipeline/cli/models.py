"""`undertow models`: versions, the champion and its history."""

from __future__ import annotations

from dataclasses import asdict

import typer

from pipeline.cli.output import JSON, print_json, table

app = typer.Typer(help="Model versions, the champion and its history.", no_args_is_help=True)


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
    rows = [["*" if model == current else "", model.version, model.state, model.created_at, model.base_model] for model in found]
    table(["", "version", "state", "created", "base"], rows, empty="no model yet: `undertow score` registers the starter")


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
    table(["when", "version", "by", "why"], rows, empty="no champion yet: `undertow score` makes the starter champion")
