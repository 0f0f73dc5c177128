"""`undertow retrain`: learn from the labels, and let the gate decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from model.writable import check_file, writing
from pipeline.cli.output import JSON, print_json
from pipeline.errors import UsageError


def register(root: typer.Typer) -> None:
    root.command("retrain")(retrain)


def retrain(
    force: bool = typer.Option(False, "--force", help="However few new labels there are."),
    run_key: str | None = typer.Option(
        None, "--run-key", help="Go on with this run (default: the unfinished one, or a new one)."
    ),
    approve: bool = typer.Option(
        False, "--approve", help="Promote the run that waits for it (UNDERTOW_RETRAIN_APPROVAL)."
    ),
    decline: bool = typer.Option(False, "--decline", help="End the run that waits: the champion stays."),
    report: Path | None = typer.Option(None, "--report", help="Copy the HTML report of the run here."),
    as_json: bool = JSON,
) -> None:
    """Retrain on the labels, compare with the champion on frozen articles, promote it or say why not.

    Killed at any point, it leaves the champion in place and goes on when called again.
    Example: undertow retrain --force --report report.html
    """
    from pipeline import approval, run
    from pipeline import retrain as steps

    def tell(step: str) -> None:
        if not as_json:
            typer.echo(f"{step} ...", err=True)

    if approve and decline:
        raise UsageError("--approve and --decline exclude each other", "give one of them")
    check_file(report)
    with run.open_line() as line:
        if approve:
            done = approval.approve(line, run_key, progress=tell)
        elif decline:
            done = approval.decline(line, run_key)
        else:
            if run_key is not None:
                _know(line, run_key)
            done = steps.retrain(line, run_key, force=force, progress=tell)
        if report is not None and done["state"] != "skipped":
            with writing(report):
                steps.copy_report(line, done["run_key"], report)
    if as_json:
        print_json(done)
        return
    typer.echo(_headline(done))
    for reason in done.get("gate", {}).get("reasons", ()):
        typer.echo(f"  - {reason}")
    if done.get("report"):
        typer.echo(f"report: {done['report']}")


def _know(line: Any, run_key: str) -> None:
    """Raises UsageError for a run that never began: a slip of the pen must not begin a training of hours."""
    from pipeline.store import retrainings

    with line.engine.connect() as connection:
        if retrainings.find_retraining(connection, run_key) is None:
            raise UsageError(f"there is no run {run_key!r} to go on with", "leave --run-key out to begin one")


def _headline(done: dict[str, object]) -> str:
    match done["state"]:
        case "skipped":
            if not done["new_labels"]:
                return "there are no new labels: there is nothing to learn from"
            return (
                f"{done['new_labels']} new labels, {done['needed']} are needed; --force retrains nonetheless"
            )
        case "promoted":
            return (
                f"run {done['run_key']}: the challenger is champion now; `undertow models rollback` goes back"
            )
        case "awaiting_approval":
            return f"run {done['run_key']}: the challenger passed and waits for --approve or --decline"
        case "refused":
            return f"run {done['run_key']}: the champion stays"
    return f"run {done['run_key']}: {done['state']}"
