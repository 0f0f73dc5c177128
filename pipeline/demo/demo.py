"""`make demo`: a recorded day goes through the whole line, and the alert is really delivered.

    embedded Postgres -> twenty days as an archive -> the model scores them -> baselines
    -> Airflow starts -> ingest polls the feeds of day 21 -> score -> alert -> mail and Slack arrive

Played once, a second call shows the same again and changes nothing that is stored; it goes on where a kill
interrupted it.
"""

from __future__ import annotations

import time
from typing import Any

from pipeline import run
from pipeline.cli.output import progress
from pipeline.demo import show
from pipeline.demo.server import MailBook, SlackBook, serve
from pipeline.demo.world import World, enter
from pipeline.errors import PlatformError
from pipeline.platform.rest import AirflowClient, Run
from pipeline.platform.services import Services
from pipeline.settings import Settings
from pipeline.store import desk_alerts, migrate, server

# The chain of three DAGs took 40 s on two idle cores; a busy machine may need several times that.
CHAIN_TIMEOUT_S = 600.0
FOLLOWS_WITHIN_S = 30.0  # an asset's event starts the next DAG within 1-2 s, 10 s on a loaded machine
CHAIN = ("ingest", "score", "alert")
RECEIVERS = {"risk-desk", "trading-floor"}  # of alerts.toml here
POLL_S = 0.5


class Teller:
    """Says what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, news: str) -> None:
        print(f"[{time.monotonic() - self._began:5.1f} s] {news}", flush=True)


def play(*, fresh: bool = False) -> None:
    """Play the day and show what was delivered. Raises PlatformError unless mail and Slack both arrived."""
    say = Teller()
    world, settings = enter(run.now(), fresh=fresh)
    services = Services(settings)
    with serve(world.home, world.anchor, world.http_port, world.smtp_port) as (mails, slack):
        try:
            _prepare(world, settings, say)
            with run.open_line(settings) as line:
                if _delivered(line, mails, slack):
                    say("this day was played before; nothing is new, so nothing changes")
                else:
                    _play_today(world, services, line, say)
                    _insist(line, mails, slack)
                _show(world, line, mails, slack)
        finally:
            services.supervisor.stop()
    say("done; `make demo ARGS=--fresh` plays it again from nothing")


def _prepare(world: World, settings: Settings, say: Teller) -> None:
    """Everything before today: the archive, its scores, and what is usual. Each part does only what is not done."""
    say("Postgres: starting the embedded server")
    report = migrate.upgrade(server.database_url(settings))
    say(f"Postgres: schema {report.after}")
    if world.ready:
        return
    with run.open_line(settings) as line:
        run.sync(line, as_of=world.anchor)
        imported = run.import_articles(line, world.archive, as_of=world.anchor)
        say(f"archive: twenty days, {_counts(imported)}")
        waiting, _ = run.backlog(line)
        say(f"model: reading {waiting} stories")
        with progress("scoring", waiting) as advance:
            scored = run.score(line, limit=max(waiting, 1), progress=advance)
        say(f"model: {_counts(scored)}")
        say(f"baselines: {_counts(run.build_baselines(line, as_of=world.anchor))}")
    world.ready = True
    world.save()


def _play_today(world: World, services: Services, line: run.Line, say: Teller) -> None:
    """Today, as in the live system: Airflow polls the feeds, and its assets start score and alert."""
    services.up(say, desk=False)
    client = services.client()
    _await_dags(client)
    say(f"Airflow: healthy at {client.url}; polling the feeds of today")
    began = client.trigger("ingest", {"as_of": world.anchor.isoformat()})
    for dag_id in CHAIN:
        ended = client.wait(
            began if dag_id == "ingest" else _follower(client, dag_id, began), CHAIN_TIMEOUT_S
        )
        if ended.state != "success":
            raise PlatformError(
                f"DAG {dag_id} failed", f"its logs are in {services.settings.home}/airflow/logs"
            )
        say(f"Airflow: {dag_id} succeeded")


def _await_dags(client: AirflowClient) -> None:
    deadline = time.monotonic() + CHAIN_TIMEOUT_S
    while not set(CHAIN) <= client.dags().keys():
        for file, error in client.import_errors().items():
            raise PlatformError(f"{file} does not import: {error}")
        if time.monotonic() > deadline:
            raise PlatformError("Airflow has not found the DAGs", "run `undertow doctor`")
        time.sleep(POLL_S)


def _follower(client: AirflowClient, dag_id: str, after: Run) -> Run:
    """The run that the asset of the DAG before started; started by hand where an interrupted play had its event."""
    deadline = time.monotonic() + FOLLOWS_WITHIN_S
    while time.monotonic() < deadline:
        newest = client.runs(dag_id)
        if newest and newest[0].run_after >= after.run_after:
            return newest[0]
        time.sleep(POLL_S)
    return client.trigger(dag_id)


def _alerts(line: run.Line) -> list[dict[str, Any]]:
    """Alerts that fired, with what became of their messages: those told first, the strongest before the others."""
    with line.engine.connect() as connection:
        listed = desk_alerts.alerts(connection, limit=50)
        found = [desk_alerts.alert(connection, alert["id"]) for alert in listed if alert["fired_at"]]
    return sorted(
        (alert for alert in found if alert), key=lambda alert: (not alert["told"], -alert["peak_score"])
    )


def _delivered(line: run.Line, mails: MailBook, slack: SlackBook) -> bool:
    """True if an alert's messages to both receivers are sent, and the servers here have them."""
    sent = {
        message["receiver"]
        for alert in _alerts(line)
        for message in alert["notifications"]
        if message["state"] == "sent"
    }
    return sent >= RECEIVERS and bool(mails.mails()) and bool(slack.messages())


def _insist(line: run.Line, mails: MailBook, slack: SlackBook) -> None:
    if _delivered(line, mails, slack):
        return
    alerts = _alerts(line)
    if not alerts:
        raise PlatformError("no alert fired", "`undertow doctor` may say why")
    errors = [message["error"] for alert in alerts for message in alert["notifications"] if message["error"]]
    raise PlatformError(
        f"an alert fired and was not delivered: {errors[0] if errors else 'no error is stored'}"
    )


def _show(world: World, line: run.Line, mails: MailBook, slack: SlackBook) -> None:
    alerts = _alerts(line)
    lead = alerts[0]
    print()
    print(show.framed("Alerts that fired and were told", show.fired_lines(alerts)))
    first_mail = mails.mails()[0]
    print(show.framed(f"The mail: {first_mail}", show.mail_lines(first_mail)))
    print(show.framed(f"The Slack message: {slack.path}", show.slack_lines(slack.messages()[0])))
    print(show.framed("Next", show.next_commands(world.home, lead)))


def _counts(report: dict[str, Any]) -> str:
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in report.items() if value)
