"""From settings, connections and alerts.toml to one sender for each receiver.

A receiver that is not set up gets a sender that says what is missing, each time: it holds back nobody else, and its
messages wait for up to a day.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

from pipeline.errors import TemporaryDeliveryError
from pipeline.notify.alerts_file import load_routing
from pipeline.notify.apprise import AppriseSender
from pipeline.notify.connections import Connection, connections_in, read_connection
from pipeline.notify.email import EmailSender, MailServer, Security
from pipeline.notify.key import signing_key
from pipeline.notify.links import Links
from pipeline.notify.message import Message
from pipeline.notify.routes import Receiver, Routing
from pipeline.notify.sending import Occasion, Sender, Sent
from pipeline.notify.slack import SlackBotSender, SlackWebhookSender
from pipeline.settings import Settings
from pipeline.values import apprise_urls


@dataclass(frozen=True, slots=True)
class NotSetUp:
    """A receiver that cannot be told of anything yet; `why` says what to set."""

    why: str

    def send(self, message: Message, occasion: Occasion) -> Sent:
        raise TemporaryDeliveryError(self.why)


@dataclass(frozen=True, slots=True)
class Senders:
    """Everything that notify needs to reach people."""

    routing: Routing
    by_receiver: Mapping[str, Sender]
    links: Links

    def of(self, receiver: str) -> Sender:
        missing = NotSetUp(f"alerts.toml has no [receivers.{receiver}]")
        return self.by_receiver.get(receiver, missing)


def build_senders(
    settings: Settings, connections: Mapping[str, str | Mapping[str, Any]] | None = None
) -> Senders:
    """Senders for every receiver in the alerts file.

    `connections`: Airflow connections by id (URI, JSON or dict); without them AIRFLOW_CONN_* of the environment.
    Settings win over connections. Raises FileMistakes and ConfigurationError.
    """
    routing = load_routing(settings.alerts_file)
    if connections is None:
        known = connections_in(os.environ)
    else:
        known = {name: read_connection(value, name) for name, value in connections.items()}
    senders = {name: build_sender(receiver, settings, known) for name, receiver in routing.receivers.items()}
    return Senders(routing, senders, Links(settings.desk_url.rstrip("/"), signing_key(settings)))


def build_sender(receiver: Receiver, settings: Settings, connections: Mapping[str, Connection]) -> Sender:
    """The sender of one receiver; `NotSetUp` where something is missing."""
    if receiver.kind == "email":
        server = mail_server(settings, connections.get("smtp_default"))
        return server if isinstance(server, NotSetUp) else EmailSender(server, receiver.to)
    if receiver.kind == "slack":
        return _slack(receiver, settings, connections)
    return _apprise(receiver, settings, connections)


def not_set_up(routing: Routing, settings: Settings) -> dict[str, str]:
    """What is missing, by receiver, as far as settings and AIRFLOW_CONN_* of the environment tell."""
    known = connections_in(os.environ)
    senders = {name: build_sender(receiver, settings, known) for name, receiver in routing.receivers.items()}
    return {name: sender.why for name, sender in senders.items() if isinstance(sender, NotSetUp)}


def mail_server(settings: Settings, connection: Connection | None) -> MailServer | NotSetUp:
    """The server of the settings, else of Airflow's smtp_default."""
    if settings.smtp_host:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
        server = MailServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_from,
            settings.smtp_security,
            settings.smtp_user,
            password,
        )
    elif connection and connection.host:
        server = _airflow_server(connection, settings)
    else:
        return NotSetUp("no mail server: set UNDERTOW_SMTP_HOST or Airflow's connection smtp_default")
    try:
        name, spec = parseaddr(server.sender)
        Address(display_name=name, addr_spec=spec)
    except (MessageError, ValueError, IndexError):
        return NotSetUp(f"UNDERTOW_SMTP_FROM {server.sender!r} is not an email address")
    return server


def _airflow_server(connection: Connection, settings: Settings) -> MailServer:
    # as Airflow reads it: TLS unless disable_ssl, else STARTTLS unless disable_tls
    plain: Security = "none" if connection.flag("disable_tls") else "starttls"
    security: Security = plain if connection.flag("disable_ssl") else "tls"
    return MailServer(
        connection.host,
        connection.port or (465 if security == "tls" else 587),
        str(connection.extra.get("from_email") or settings.smtp_from),
        security,
        connection.login or None,
        connection.password or None,
    )


def _slack(receiver: Receiver, settings: Settings, connections: Mapping[str, Connection]) -> Sender:
    channel = receiver.channel or ""
    if settings.slack_bot_token:
        token = settings.slack_bot_token.get_secret_value()
        return SlackBotSender(channel, token, settings.slack_api_url)
    if settings.slack_webhook_url:
        return SlackWebhookSender(settings.slack_webhook_url.get_secret_value())
    for name in ("slack_api_default", "slack_default"):
        connection = connections.get(name)
        if connection and connection.conn_type == "slack":
            base_url = str(connection.extra.get("base_url") or settings.slack_api_url)
            return SlackBotSender(channel, connection.password, base_url)
        if connection and connection.conn_type == "slackwebhook":
            return SlackWebhookSender(_webhook_url(connection))
    return NotSetUp(
        "no Slack: set UNDERTOW_SLACK_BOT_TOKEN, UNDERTOW_SLACK_WEBHOOK_URL or Airflow's slack_default"
    )


def _webhook_url(connection: Connection) -> str:
    """Airflow keeps the secret path in the password and may keep a whole address there, or a bare host."""
    if "://" in connection.password:
        return connection.password
    host = connection.host or "https://hooks.slack.com/services"
    if "://" not in host:
        host = f"https://{host}" + ("" if "/" in host else "/services")
    return f"{host.rstrip('/')}/{connection.password.lstrip('/')}"


def _apprise(receiver: Receiver, settings: Settings, connections: Mapping[str, Connection]) -> Sender:
    name = receiver.url_setting or ""
    text = settings.apprise_urls.get_secret_value() if settings.apprise_urls else ""
    connection = connections.get("apprise_default")
    url = apprise_urls(text).get(name) or (apprise_config(connection).get(name) if connection else None)
    if url is None:
        return NotSetUp(f"no Apprise address {name!r}: add {name}=<address> to UNDERTOW_APPRISE_URLS")
    return AppriseSender(receiver.name, url)


def apprise_config(connection: Connection) -> dict[str, str]:
    """Addresses by tag, from Airflow's Apprise connection."""
    config = connection.extra.get("config") or []
    rows = [config] if isinstance(config, Mapping) else config
    return {str(row["tag"]): str(row["path"]) for row in rows if row.get("tag") and row.get("path")}
