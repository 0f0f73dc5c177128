"""A small newsroom for the tests of notify: alerts in the database, receivers in a file, sinks on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from notify_sinks import MailSink, SlackSink
from sqlalchemy.engine import Engine

from pipeline.notify.routes import Delivery, route
from pipeline.notify.senders import Senders, build_senders
from pipeline.notify.step import NotifyReport, notify
from pipeline.settings import Settings, load_settings
from pipeline.store import notifications

DATA = Path(__file__).resolve().parents[1] / "data" / "notify"
START = datetime.now(UTC).replace(microsecond=0)
MAIL_AND_SLACK = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example", "duty@bank.example"]

[receivers.slack]
kind = "slack"
channel = "C01"

[[routes]]
receivers = ["mail", "slack"]
"""


def payload(name: str = "company_crisis") -> dict[str, Any]:
    return dict(json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")))


@dataclass
class World:
    """What a test needs to raise alerts and to run notify."""

    engine: Engine
    settings: Settings

    @property
    def senders(self) -> Senders:
        return build_senders(self.settings, {})

    def notify(self, as_of: datetime = START) -> NotifyReport:
        return notify(self.engine, self.settings, self.senders, as_of=as_of)

    def raise_alert(self, key: str = "Nordbank", *, severity: str = "critical", at: datetime = START) -> int:
        """A firing alert with its open event; nobody is told yet."""
        with self.engine.begin() as connection:
            series = connection.execute(
                sa.text(
                    "insert into series (kind, key, title, created_at) values ('company', :key, :key, :at)"
                    " on conflict (kind, key) do update set title = excluded.title returning id"
                ),
                {"key": key, "at": at},
            ).scalar_one()
            return int(
                connection.execute(
                    sa.text(
                        "insert into alerts (series_id, state, severity, pending_at, fired_at, last_crossed_at,"
                        " last_evaluated_at, peak_score, rule_version, told, evidence) values"
                        " (:series, 'firing', :severity, :at, :at, :at, :at, 8, '1', true, cast(:evidence as jsonb))"
                        " returning id"
                    ),
                    {"series": series, "severity": severity, "at": at, "evidence": json.dumps(payload())},
                ).scalar_one()
            )

    def tell(
        self,
        alert_id: int,
        kind: str = "open",
        *,
        at: datetime = START,
        severity: str = "critical",
        evidence: dict[str, Any] | None = None,
        deliveries: list[Delivery] | None = None,
    ) -> int:
        """What detect does when an alert changes: event and outbox in one transaction."""
        with self.engine.begin() as connection:
            event = connection.execute(
                sa.text(
                    "insert into alert_events (alert_id, at, kind, severity) values (:id, :at, :kind, :severity)"
                    " returning id"
                ),
                {"id": alert_id, "at": at, "kind": kind, "severity": severity},
            ).scalar_one()
            if kind == "resolve":
                connection.execute(
                    sa.text("update alerts set state = 'resolved', resolved_at = :at where id = :id"),
                    {"id": alert_id, "at": at},
                )
            told = notifications.told_receivers(connection, alert_id)
            routed = route(
                self.senders.routing,
                "company",
                "Nordbank",
                severity,  # type: ignore[arg-type]
                at,
                told=told,
                resolved=kind == "resolve",
            )
            return notifications.write_outbox(
                connection,
                alert_id,
                int(event),
                kind,  # type: ignore[arg-type]
                routed if deliveries is None else deliveries,
                evidence or payload(),
                at,
            )

    def rows(self, columns: str = "receiver, kind, state, attempts") -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(f"select {columns} from notifications order by id"))
            return [tuple(row) for row in found]

    def run(self, statement: str, **parameters: Any) -> Any:
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return [tuple(row) for row in result] if result.returns_rows else result.rowcount


def make_world(engine: Engine, directory: Path, alerts: str, **settings: Any) -> World:
    path = directory / "alerts.toml"
    path.write_text(alerts)
    given = {"smtp_security": "none", "smtp_from": "Undertow <alerts@bank.example>", **settings}
    return World(engine, load_settings(home=directory / "home", alerts_file=path, **given))


def later(**delta: float) -> datetime:
    return START + timedelta(**delta)


def mail_and_slack_world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    """Every alert goes to one mailbox and one channel."""
    return make_world(
        engine,
        tmp_path,
        MAIL_AND_SLACK,
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
        slack_bot_token="xoxb-test",
        slack_api_url=slack.api_url,
    )


def counts(report: NotifyReport) -> dict[str, int]:
    """What a run of notify did, without the zeros."""
    return {name: value for name, value in report.as_dict().items() if value}
