"""`undertow notify`, `digest` and `receivers`: what the outbox holds goes out, and who it goes to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import typer

from pipeline.cli.output import JSON, print_json, say, table
from pipeline.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from pipeline.notify.routes import Digest, Receiver, Routing
    from pipeline.notify.senders import Senders

receivers_app = typer.Typer(
    help="Where alerts are told: what is set up, what waits, what was refused.", no_args_is_help=True
)
# Days of history that `receivers list` counts.
HEALTH_DAYS = 7


def register(root: typer.Typer) -> None:
    root.command("notify")(notify)
    root.command("digest")(digest)
    root.add_typer(receivers_app, name="receivers")


def notify(
    again: bool = typer.Option(False, "--again", help="First put back what was given up."),
    receiver: str | None = typer.Option(None, help="With --again: only this receiver's."),
    as_json: bool = JSON,
) -> None:
    """Send what the outbox holds and is due; safe to run at any time.

    Example: undertow notify
    """
    from pipeline import run
    from pipeline.notify.alerts_file import load_routing
    from pipeline.store import notifications

    if receiver and not again:
        raise UsageError("--receiver goes with --again", "or leave it out: every receiver is told")
    with run.open_line() as line:
        if receiver:
            _know(load_routing(line.settings.alerts_file), receiver)
        put_back = 0
        if again:
            with line.engine.begin() as connection:
                put_back = notifications.requeue_failed(connection, run.now(), receiver)
        report = run.notify(line)
    say({**report, "put_back": put_back} if again else report, as_json)


def digest(
    name: str | None = typer.Argument(
        None, help="Name of a digest in alerts.toml; the first one by default."
    ),
    send: bool = typer.Option(False, "--send", help="Send it to its receivers now, instead of printing it."),
    as_json: bool = JSON,
) -> None:
    """Print the digest as it would be if it fell due now.

    Example: undertow digest "every day"
    """
    from pipeline import run
    from pipeline.notify.due import digest_until
    from pipeline.notify.routes import Delivery
    from pipeline.notify.senders import build_senders
    from pipeline.store import notifications

    now = run.now()
    with run.open_line() as line:
        senders = build_senders(line.settings)
        chosen = _digest(senders.routing, name)
        with line.engine.begin() as connection:
            payload = digest_until(connection, chosen, now)
            if send:
                deliveries = [Delivery(receiver, now) for receiver in chosen.receivers]
                key = f"by hand:{chosen.name}:{now.isoformat()}"
                notifications.write_message(connection, "digest", key, deliveries, payload, now)
        if send:
            say(run.notify(line), as_json)
        elif as_json:
            print_json(payload)
        else:
            typer.echo(_text(payload, chosen, senders, now))


def _digest(routing: Routing, name: str | None) -> Digest:
    from pipeline.notify.routes import Digest

    if name is None:
        return routing.digests[0] if routing.digests else Digest("every day", "day", ())
    found = next((d for d in routing.digests if d.name == name), None)
    if found is None:
        names = ", ".join(repr(d.name) for d in routing.digests) or "none"
        raise UsageError(f"alerts.toml has no digest {name!r}", f"it has {names}")
    return found


def _text(payload: dict[str, Any], chosen: Digest, senders: Senders, now: Any) -> str:
    from pipeline.notify.digest import digest_message
    from pipeline.notify.view import Envelope

    envelope = Envelope("0" * 32, "digest", "standard output", chosen.zone, now, now)
    return digest_message(envelope, payload, senders.links, senders.links.desk_url).text


@receivers_app.command("list")
def list_receivers(as_json: bool = JSON) -> None:
    """List receivers with what waits, what was sent in the last week and the last error.

    Example: undertow receivers list
    """
    from pipeline import run
    from pipeline.notify.alerts_file import load_routing
    from pipeline.store import notifications

    with run.open_line() as line:
        routing = load_routing(line.settings.alerts_file)
        with line.engine.connect() as connection:
            since = run.now() - timedelta(days=HEALTH_DAYS)
            health = {row["receiver"]: row for row in notifications.receiver_health(connection, since)}
    rows = [_row(name, routing, health.get(name, {})) for name in {**routing.receivers, **health}]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "kind", "where", "routes", "pending", "sent", "failed", "last_sent_at", "last_error"]
    shown = [[row[column] for column in columns] for row in rows]
    table(columns, shown, empty="alerts.toml has no receivers; add a [receivers.NAME]")


def _row(name: str, routing: Routing, health: dict[str, Any]) -> dict[str, Any]:
    receiver = routing.receivers.get(name)
    return {
        "name": name,
        "kind": receiver.kind if receiver else "gone",
        "where": _where(receiver) if receiver else "no longer in alerts.toml",
        "routes": sum(name in route.receivers for route in routing.routes),
        "pending": health.get("pending", 0),
        "sent": health.get("sent", 0),
        "failed": health.get("failed", 0),
        "last_sent_at": health.get("last_sent_at"),
        "last_error": health.get("last_error"),
    }


def _where(receiver: Receiver) -> str:
    return ", ".join(receiver.to) or receiver.channel or f"{receiver.url_setting} in UNDERTOW_APPRISE_URLS"


@receivers_app.command("check")
def check(
    send: bool = typer.Option(False, "--send", help="Send a test message to each of them."),
    only: str | None = typer.Option(None, "--receiver", help="Only this one."),
    as_json: bool = JSON,
) -> None:
    """Check alerts.toml: mistakes, receivers that are not set up, hours in which nobody would be told.

    Example: undertow receivers check --send --receiver risk-desk
    """
    from pipeline import run
    from pipeline.notify.senders import build_senders
    from pipeline.settings import load_settings

    settings = load_settings()
    senders = build_senders(settings)
    if only is not None:
        _know(senders.routing, only)
    names = [name for name in senders.routing.receivers if only in (None, name)]
    rows = [_checked(name, senders, send, run.now()) for name in names]
    operator = settings.operator_receiver
    if operator is not None and operator not in senders.routing.receivers:
        why = f"UNDERTOW_OPERATOR_RECEIVER names it, and alerts.toml has no [receivers.{operator}]"
        rows.append({"receiver": operator, "ok": False, "state": why})
    gaps = _gaps(senders.routing, run.now())
    if as_json:
        print_json({"receivers": rows, "nobody_is_told": gaps})
    else:
        table(["receiver", "state"], [[r["receiver"], r["state"]] for r in rows], empty="no receivers")
        for gap in gaps:
            typer.echo(f"nobody is told of critical {gap}")
    if gaps or any(not row["ok"] for row in rows):
        raise typer.Exit(1)


def _know(routing: Routing, name: str) -> None:
    if name not in routing.receivers:
        names = ", ".join(routing.receivers) or "none"
        raise UsageError(f"alerts.toml has no [receivers.{name}]", f"it has {names}")


def _checked(name: str, senders: Senders, send: bool, now: Any) -> dict[str, Any]:
    from pipeline.notify.message import note_message
    from pipeline.notify.senders import NotSetUp
    from pipeline.notify.sending import Occasion
    from pipeline.notify.view import Envelope

    sender = senders.of(name)
    if isinstance(sender, NotSetUp):
        return {"receiver": name, "ok": False, "state": sender.why}
    if not send:
        return {"receiver": name, "ok": True, "state": "set up"}
    zone = senders.routing.receivers[name].zone
    envelope = Envelope(f"{now:%Y%m%d%H%M%S%f}{name.encode().hex()}"[:32], "operator", name, zone, now, now)
    lines = [f"If you read this, alerts for {name} arrive here."]
    payload = {"subject": "Test message from Undertow", "lines": lines}
    try:
        sender.send(note_message(envelope, payload, senders.links.desk_url), Occasion())
    except DeliveryError as error:
        return {"receiver": name, "ok": False, "state": str(error)}
    return {"receiver": name, "ok": True, "state": "took the test message"}


def _gaps(routing: Routing, now: Any) -> list[str]:
    """Kinds of series and hours of the coming week whose critical alerts no route takes."""
    from pipeline.notify.routes import ranges, uncovered
    from pipeline.types import SeriesKind

    gaps = []
    kinds: tuple[SeriesKind, ...] = get_args(SeriesKind)
    for kind in kinds:
        for start, end in list(ranges(uncovered(routing, kind, now)))[:3]:
            gaps.append(f"{kind} alerts from {start:%a %H:%M} to {end:%a %H:%M} UTC")
    return gaps
