"""`undertow labels`: what people say of articles, in and out, and what to ask them next."""

from __future__ import annotations

import getpass
from pathlib import Path

import typer

from model.writable import check_file, writing
from pipeline.cli.output import JSON, print_json, say, table
from pipeline.errors import UsageError

app = typer.Typer(
    help="Labels: import, export, the queue of what to label next, agreement.", no_args_is_help=True
)
FORMAT = typer.Option(
    None, "--format", help="csv, jsonl, label-studio or argilla (default: told from the file)."
)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="labels")


@app.command("import")
def import_labels(
    path: Path = typer.Argument(help="A file of labels: CSV, JSON lines, Label Studio or Argilla export."),
    kind: str | None = FORMAT,
    by: str | None = typer.Option(
        None, help="Who labelled, where the file does not say (default: your login)."
    ),
    as_json: bool = JSON,
) -> None:
    """Store the labels of a file; again changes nothing. Articles are named by article_id, guid and feed, url or title.

    Example: undertow labels import labels.csv --by anna
    """
    from pipeline import labels, run

    with run.open_line() as line:
        report = labels.import_labels(line, path, by=by or getpass.getuser(), kind=kind)
    mistakes = report.pop("mistakes")
    say({**report, "mistakes": mistakes} if as_json else report, as_json)
    if not as_json:
        for mistake in mistakes:
            typer.echo(f"refused: {mistake}", err=True)
    if report["refused"] and not any(report[name] for name in ("new", "replaced", "unchanged", "outdated")):
        raise typer.Exit(1)


@app.command("export")
def export_labels(
    path: Path = typer.Argument(help="File to write."),
    kind: str | None = FORMAT,
    queue: bool = typer.Option(
        False, "--queue", help="Export what waits to be labelled instead, without labels."
    ),
    by: str | None = typer.Option(None, help="Only labels of this person."),
    as_json: bool = JSON,
) -> None:
    """Write the labels in force, or with --queue the articles to label, for another tool.

    Example: undertow labels export tasks.json --queue --format label-studio
    """
    from pipeline import run
    from pipeline.label import formats, tools
    from pipeline.store import labels

    kind = kind or {".csv": "csv", ".jsonl": "jsonl"}.get(path.suffix.lower())
    if kind is None:
        raise UsageError("the format cannot be told from the name", "say --format label-studio or argilla")
    check_file(path)
    with run.open_line() as line, line.engine.connect() as connection:
        found = labels.read_labels(connection, queue=queue, labelled_by=by)
    with writing(path):
        written = formats.write_labels(path, kind, found)
    articles = len({label.article_id for label in found})
    say({"labels": written, "articles": articles, "file": str(path)}, as_json)
    if kind == "label-studio" and not as_json:
        typer.echo(f"\nLabelling interface of the Label Studio project:\n{tools.LABEL_STUDIO_CONFIG}")


@app.command("queue")
def queue(
    fill: bool = typer.Option(False, "--fill", help="Fill it up first, by UNDERTOW_LABEL_QUEUE_MIX."),
    limit: int = typer.Option(20, min=1, help="Articles to show."),
    as_json: bool = JSON,
) -> None:
    """Show what to label next, with the reason.

    Example: undertow labels queue --fill
    """
    from pipeline import labels as wiring
    from pipeline import run
    from pipeline.store import labels

    with run.open_line() as line:
        added = wiring.fill_queue(line) if fill else {}
        with line.engine.connect() as connection:
            waiting, found = (
                labels.open_places(connection),
                labels.read_labels(connection, queue=True)[:limit],
            )
    if as_json:
        shown = [
            {"article_id": one.article_id, "reason": one.queue_reason, "title": one.title} for one in found
        ]
        print_json({"added": added, "waiting": waiting, "next": shown})
        return
    if fill:
        typer.echo(f"added: {added or 'nothing'}")
    rows = [[one.article_id, one.queue_reason, one.feed, one.title] for one in found]
    table(["article", "why", "feed", "title"], rows, empty="nothing waits: `undertow labels queue --fill`")
    typer.echo(f"waiting: {', '.join(f'{n} {reason}' for reason, n in waiting.items()) or 'nothing'}")


@app.command("agreement")
def show_agreement(as_json: bool = JSON) -> None:
    """Tell how far labellers agree: Krippendorff's alpha, Cohen's kappa of each pair, disputed articles.

    Example: undertow labels agreement
    """
    from pipeline import run
    from pipeline.label.step import agreement

    with run.open_line() as line, line.engine.connect() as connection:
        found = agreement(connection)
    if as_json:
        print_json(found)
        return
    rows = [
        [target, of["shared"], of["labellers"], of["alpha"], len(of["disputed"])]
        for target, of in found.items()
    ]
    table(
        ["target", "shared", "labellers", "alpha", "disputed"],
        rows,
        empty="no article has labels of two people",
    )
    pairs = [
        [target, pair["one"], pair["other"], pair["items"], pair["agreement"], pair["kappa"]]
        for target, of in found.items()
        for pair in of["pairs"]
    ]
    if pairs:
        table(["target", "one", "other", "items", "agreement", "kappa"], pairs, empty="")


@app.command("set")
def set_label(
    article: int = typer.Argument(help="The article's id."),
    sentiment: str | None = typer.Option(None, help="negative, neutral or positive."),
    company: str | None = typer.Option(
        None, help="The verdict is for this company; without it for the story."
    ),
    topics: str | None = typer.Option(None, help="Topics, comma separated."),
    by: str | None = typer.Option(None, help="Who says so (default: your login)."),
    note: str = typer.Option("", help="Free words."),
    as_json: bool = JSON,
) -> None:
    """Label one article by hand; what you said of it before is replaced.

    Example: undertow labels set 1234 --sentiment negative --company "Orvex Pharmaceuticals"
    """
    from pipeline import labels, run

    row = {
        "article_id": article,
        "sentiment": sentiment,
        "company": company,
        "topics": topics,
        "note": note,
        "labelled_by": by or getpass.getuser(),
    }
    with run.open_line() as line:
        say(labels.set_label(line, row), as_json)


@app.command("migrate")
def migrate_labels(as_json: bool = JSON) -> None:
    """Rewrite labels of older schema versions in today's names; run it once after an upgrade that renamed a label.

    Example: undertow labels migrate
    """
    from pipeline import run
    from pipeline.store import labels

    with run.open_line() as line, line.engine.begin() as connection:
        say({"rewritten": labels.migrate_labels(connection)}, as_json)
