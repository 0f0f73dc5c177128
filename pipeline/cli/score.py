"""`undertow score`: what waits for a verdict gets one."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import typer

from pipeline.cli.output import JSON, progress, say
from pipeline.errors import UsageError


def register(root: typer.Typer) -> None:
    root.command("score")(score)
    root.command("score-files")(score_files)


def score(
    backlog: bool = typer.Option(False, "--backlog", help="Go on until nothing waits, with progress."),
    limit: int | None = typer.Option(
        None, min=1, help="Stories at most (default UNDERTOW_SCORE_RUN_STORIES)."
    ),
    rescore: str | None = typer.Option(
        None, metavar="VERSION", help="Score history again with this model version."
    ),
    days: int | None = typer.Option(
        None, min=0, help="With --rescore: how far back (default UNDERTOW_RESCORE_DAYS)."
    ),
    order: str | None = typer.Option(
        None, help="newest or oldest first (default: live newest, re-score oldest)."
    ),
    as_json: bool = JSON,
) -> None:
    """Score the stories that wait, newest first; safe to run many at once.

    Example: undertow score --backlog
    """
    from pipeline import run

    if order not in (None, "newest", "oldest"):
        raise UsageError(f"--order is newest or oldest, not {order!r}")
    if days is not None and rescore is None:
        raise UsageError("--days goes with --rescore", "or leave it out: all that waits is scored")
    with run.open_line() as line:
        if rescore is not None:
            run.enqueue_rescore(line, rescore, days=days)
        waiting, age_s = run.backlog(line, rescore)
        if not as_json:
            typer.echo(f"{waiting} stories wait, the oldest since {_since(age_s)}", err=True)
        # what arrives meanwhile belongs to the backlog too
        most = sys.maxsize if backlog else limit or line.settings.score_run_stories
        started = time.monotonic()
        with progress("scoring", min(waiting, most)) as advance:
            report = run.score(line, limit=most, rescore=rescore, order=order, progress=advance)  # type: ignore[arg-type]
        took = time.monotonic() - started
        still, age_s = run.backlog(line, rescore)
    done = report["scored"] + report["apart"]
    say(
        {**report, "stories_per_s": round(done / took, 1), "still_waiting": still, "oldest_s": round(age_s)},
        as_json,
    )


def score_files(
    files: str = typer.Argument(help="Parquet files: a path or s3://... with * in its last part, in quotes."),
    out: str = typer.Option(
        ..., "--out", help="Folder for the results, one file each, under the same names."
    ),
    engine: str = typer.Option(
        "local", help="local (processes here) or ray (Ray Data; needs the extra `ray`)."
    ),
    workers: int = typer.Option(1, min=1, help="Processes, or Ray actors; each holds the model once."),
    model: str | None = typer.Option(None, help="Model directory; the starter when not given."),
    as_json: bool = JSON,
) -> None:
    """Score Parquet files with a column `text`, beyond the database; run it again to go on where it stopped.

    Example: undertow score-files 's3://archive/2026/*.parquet' --out scored --workers 2
    """
    from model.bulk import Options, score_files
    from pipeline.settings import load_settings

    if engine not in ("local", "ray"):
        raise UsageError(f"there is no engine {engine!r}", "use local or ray")
    settings = load_settings()
    options = Options(model, settings.model_device, settings.model_dtype)
    started = time.monotonic()
    with progress("files", None) as advance:
        report = score_files(files, out, options=options, workers=workers, engine=engine, progress=advance)  # type: ignore[arg-type]
    counts = {"files": report.files, "skipped": report.skipped, "rows": report.rows, "errors": report.errors}
    took = time.monotonic() - started
    say({**counts, "failed": len(report.failed), "rows_per_s": round(report.rows / took, 1)}, as_json)
    for file in report.failed:
        typer.echo(f"not scored: {file.failure}", err=True)
    if report.failed:
        raise typer.Exit(1)


def _since(age_s: float) -> str:
    from pipeline import run

    if age_s <= 0:
        return "now"
    return (run.now() - timedelta(seconds=age_s)).strftime("%Y-%m-%d %H:%M UTC")
