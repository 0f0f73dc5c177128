"""`undertow score`: what waits for a verdict gets one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import typer

from pipeline.cli.output import JSON, progress, say
from pipeline.errors import UsageError


def register(root: typer.Typer) -> None:
    root.command("score")(score)


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
    with run.open_line() as line:
        if rescore is not None:
            run.enqueue_rescore(line, rescore, days=days)
        waiting, age_s = run.backlog(line, rescore)
        most = waiting if backlog else min(waiting, limit or line.settings.score_run_stories)
        if not as_json:
            typer.echo(f"{waiting} stories wait, the oldest since {_since(age_s)}", err=True)
        started = time.monotonic()
        with progress("scoring", most) as advance:
            report = run.score(line, limit=max(most, 1), rescore=rescore, order=order, progress=advance)  # type: ignore[arg-type]
        took = time.monotonic() - started
    report["stories_per_s"] = round(report["scored"] / took, 1) if took else 0.0
    say(report, as_json)


def _since(age_s: float) -> str:
    if age_s <= 0:
        return "now"
    return (datetime.now(UTC) - timedelta(seconds=age_s)).strftime("%Y-%m-%d %H:%M UTC")
