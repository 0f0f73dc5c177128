"""`undertow alerts`: what is open, what it rests on, and what a person does about it."""

from __future__ import annotations

import getpass
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import typer

from pipeline.cli.output import JSON, print_json, say, table
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.run import Line
    from pipeline.types import Severity

app = typer.Typer(help="Alerts: list, show, take, silence, and try a route.", no_args_is_help=True)
_DURATION = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="alerts")


@app.command("list")
def list_alerts(
    everything: bool = typer.Option(False, "--all", help="Also those that resolved."),
    limit: int = typer.Option(50, min=1, max=10_000, help="How many at most."),
    as_json: bool = JSON,
) -> None:
    """List open alerts, the newest first.

    Example: undertow alerts list --all
    """
    from pipeline import run
    from pipeline.store import alerts

    with run.open_line() as line, line.engine.connect() as connection:
        rows = alerts.list_alerts(connection, open_only=None if everything else True, limit=limit)
    if as_json:
        print_json(rows)
        return
    columns = [
        "id",
        "series",
        "state",
        "severity",
        "since",
        "negative",
        "expected",
        "score",
        "told",
        "taken by",
    ]
    empty = "there was no alert yet" if everything else "no alert is open"
    table(columns, [_list_row(row) for row in rows], empty=empty)


@app.command("show")
def show(alert_id: int, as_json: bool = JSON) -> None:
    """Show one alert: its evidence, what happened to it, who was told.

    Example: undertow alerts show 12
    """
    from pipeline import run
    from pipeline.store import alerts

    with run.open_line() as line, line.engine.connect() as connection:
        found = alerts.show_alert(connection, alert_id)
    if found is None:
        raise UsageError(f"there is no alert {alert_id}", "`undertow alerts list --all` shows them")
    if as_json:
        print_json(found)
        return
    _print_alert(found)


@app.command("ack")
def acknowledge(
    alert_id: int,
    by: str | None = typer.Option(None, help="Who takes it; the login by default."),
    as_json: bool = JSON,
) -> None:
    """Take an alert until it resolves, so that others know.

    Example: undertow alerts ack 12 --by sofia
    """
    from pipeline import run
    from pipeline.store import alerts

    who = by or getpass.getuser()
    with run.open_line() as line, line.engine.begin() as connection:
        taken = alerts.acknowledge(connection, alert_id, who, run.now())
    if not taken:
        raise UsageError(f"alert {alert_id} is not open", "`undertow alerts list` shows those that are")
    say({"alert": alert_id, "taken_by": who}, as_json)


@app.command("silence")
def silence(
    series: str = typer.Argument(
        ..., help="kind/key, as in company/Acme; a ticker will do; `everyone` for all."
    ),
    duration: str = typer.Option("4h", "--for", help="How long: 30m, 4h, 2d, 1w."),
    reason: str = typer.Option("", help="Why; it is told when the silence ends."),
    by: str | None = typer.Option(None, help="Who; the login by default."),
    as_json: bool = JSON,
) -> None:
    """Hold back what a series' alerts would tell; it ends by itself and says so.

    Example: undertow alerts silence company/ORVX --for 2d --reason "known trial results"
    """
    from pipeline import run
    from pipeline.store import alerts

    length = _duration(duration)
    with run.open_line() as line:
        kind, key = (None, None) if series == "everyone" else _series(line, series)
        with line.engine.begin() as connection:
            silence_id = alerts.silence(
                connection, kind, key, length, by or getpass.getuser(), reason, run.now()
            )
    say(
        {"silence": silence_id, "series": f"{kind}/{key}" if kind else "everyone", "for": str(length)},
        as_json,
    )


@app.command("test")
def send_test(
    series: str = typer.Argument("all/all", help="kind/key whose routes are tried."),
    severity: str = typer.Option("critical", help="warning or critical."),
    as_json: bool = JSON,
) -> None:
    """Send a marked test alert the way a real one of this series would go, quiet hours left out.

    Example: undertow alerts test company/ORVX --severity warning
    """
    from pipeline import run
    from pipeline.detect.testing import write_test_alert

    if severity not in ("warning", "critical"):
        raise UsageError(f"--severity {severity!r} is none", "choose warning or critical")
    chosen = cast("Severity", severity)
    with run.open_line() as line:
        kind, key = _kind_and_key(series)
        receivers = write_test_alert(line.engine, line.settings.alerts_file, kind, key, chosen, run.now())
        if not receivers:
            raise UsageError(
                f"no route takes a {severity} alert of {series}", "look at [[routes]] in alerts.toml"
            )
        report = run.notify(line)
    say({"receivers": ", ".join(receivers), **report}, as_json)


def _series(line: Line, text: str) -> tuple[str, str]:
    from pipeline.store import windows

    kind, key = _kind_and_key(text)
    with line.engine.connect() as connection:
        found = windows.find_series(connection, kind, key)
    if found is None:
        raise UsageError(
            f"there is no series {text!r}",
            "kinds are all, topic, company and sector; `undertow detect` adds what is new on the watch list",
        )
    return found.kind, found.key


def _kind_and_key(text: str) -> tuple[str, str]:
    kind, slash, key = text.partition("/")
    if not slash:
        raise UsageError(f"{text!r} is no series", "write kind/key, as in company/Acme or topic/earnings")
    return kind, key


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0 or int(match[1]) > 10_000:
        raise UsageError(f"--for {text!r} is no length of time", "write 30m, 4h, 2d or 1w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _list_row(row: dict[str, Any]) -> list[Any]:
    told = "yes" if row["told"] else row["cause"] or ("silenced" if row["silenced"] else "no")
    return [
        row["id"],
        f"{row['kind']}/{row['title']}" + (" (test)" if row["is_test"] else ""),
        row["state"],
        row["severity"],
        row["fired_at"] or row["pending_at"],
        row["negative"],
        row["expected"],
        row["peak_score"],
        f"by alert {row['inhibited_by']}" if row["inhibited_by"] and not row["told"] else told,
        row["acknowledged_by"],
    ]


def _print_alert(found: dict[str, Any]) -> None:
    card = found["evidence"]
    figures = ("negative", "other", "expected", "p", "score", "window_hours", "share_now", "share_usual")
    summary = {
        "series": f"{found['kind']}/{found['title']}",
        "state": found["state"],
        "severity": found["severity"],
        "since": found["fired_at"] or found["pending_at"],
        "cause": found["cause"],
        "taken_by": found["acknowledged_by"],
        **{name: card.get(name) for name in figures},
        "fires_without_largest_story": (card.get("without_largest_story") or {}).get("would_fire"),
        "fires_without_largest_source": (card.get("without_largest_source") or {}).get("would_fire"),
    }
    say(summary, False)
    stories = [[s["source"], s["copies"], s["probability"], s["title"]] for s in card.get("stories", [])]
    typer.echo("")
    table(["source", "copies", "p", "story"], stories, empty="no stories are stored with it")
    typer.echo("")
    events = [[e["at"], e["kind"], e["severity"], e["actor"]] for e in found["events"]]
    table(["at", "what", "severity", "who"], events, empty="nothing happened to it yet")
    sent = [[n["receiver"], n["kind"], n["state"], n["sent_at"], n["error"]] for n in found["notifications"]]
    typer.echo("")
    table(["receiver", "told", "state", "sent", "error"], sent, empty="nobody was told")
