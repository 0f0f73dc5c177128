"""`undertow retrain`: learn from the labels, and let the gate decide."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.output import JSON, print_json


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
    report: Path | None = typer.Option(None, "--report", help="Copy the HTML report of the run here."),
    as_json: bool = JSON,
) -> None:
    """Retrain on the labels, compare with the champion on frozen articles, promote it or say why not.

    Killed at any point, it leaves the champion in place and goes on when called again.
    Example: undertow retrain --force --report report.html
    """
    from pipeline import retrain as steps
    from pipeline import run

    def tell(step: str) -> None:
        if not as_json:
            typer.echo(f"{step} ...", err=True)

    with run.open_line() as line:
        done = (
            steps.approve(line, run_key, progress=tell)
            if approve
            else steps.retrain(line, run_key, force=force, progress=tell)
        )
        if report is not None:
            steps.copy_report(line, done["run_key"], report)
    if as_json:
        print_json(done)
        return
    typer.echo(_headline(done))
    for reason in done.get("gate", {}).get("reasons", ()):
        typer.echo(f"  - {reason}")
    if done.get("report"):
        typer.echo(f"report: {done['report']}")


def _headline(done: dict[str, object]) -> str:
    match done["state"]:
        case "skipped":
            return (
                f"{done['new_labels']} new labels, {done['needed']} are needed; --force retrains nonetheless"
            )
        case "promoted":
            return (
                f"run {done['run_key']}: the challenger is champion now; `undertow models rollback` goes back"
            )
        case "awaiting_approval":
            return f"run {done['run_key']}: the challenger passed and waits: `undertow retrain --approve`"
        case "refused":
            return f"run {done['run_key']}: the champion stays"
    return f"run {done['run_key']}: {done['state']}"
