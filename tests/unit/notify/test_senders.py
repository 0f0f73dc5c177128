"""From settings and Airflow connections to senders, without a secret in any repr or error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigurationError, SettingsError
from pipeline.notify.apprise import AppriseSender
from pipeline.notify.connections import connections_in, read_connection
from pipeline.notify.email import EmailSender, MailServer
from pipeline.notify.senders import NotSetUp, build_senders, mail_server
from pipeline.notify.sending import Sender, hide, secrets_in
from pipeline.notify.slack import SlackBotSender, SlackWebhookSender
from pipeline.settings import Settings, load_settings
from pipeline.values import apprise_urls, check_apprise_urls

ALERTS = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[receivers.slack]
kind = "slack"
channel = "C01"

[receivers.teams]
kind = "apprise"
url_setting = "teams"
"""
HOOK = "https://hooks.slack.com/services/T000/B000/SeCrEtPaTh"


def settings_with(tmp_path: Path, **changes: Any) -> Settings:
    (tmp_path / "alerts.toml").write_text(ALERTS)
    return load_settings(home=tmp_path / "home", alerts_file=tmp_path / "alerts.toml", **changes)


def senders_with(
    tmp_path: Path, connections: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Sender]:
    return dict(build_senders(settings_with(tmp_path, **changes), connections or {}).by_receiver)


@pytest.mark.parametrize("text", ["ops.team=json://h/x", "ops team = json://h/x", "a=json://h/x,y"])
def test_a_name_of_an_address_may_be_any_text(text: str) -> None:
    check_apprise_urls(text)
    assert all("://" in address for address in apprise_urls(text).values())


@pytest.mark.parametrize("text", ["json://h/x", "=json://h/x", "ops=", "ops=h/x"])
def test_an_address_without_a_name_or_a_scheme_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="address 1"):
        check_apprise_urls(text)


def test_nothing_set_up_says_what_to_set(tmp_path: Path) -> None:
    told = senders_with(tmp_path)
    assert all(isinstance(sender, NotSetUp) for sender in told.values())
    assert "UNDERTOW_SMTP_HOST" in told["mail"].why  # type: ignore[attr-defined]
    assert "UNDERTOW_SLACK_BOT_TOKEN" in told["slack"].why  # type: ignore[attr-defined]
    assert "teams=<address>" in told["teams"].why  # type: ignore[attr-defined]


def test_settings_build_senders_that_show_no_secret(tmp_path: Path) -> None:
    told = senders_with(
        tmp_path,
        smtp_host="mail.bank.example",
        smtp_user="undertow",
        smtp_password="pa55word",
        slack_webhook_url=HOOK,
        apprise_urls="teams=msteams://tokenA/tokenB/tokenC, other=json://h/a,b",
    )
    assert told["mail"] == EmailSender(
        MailServer("mail.bank.example", 587, "undertow@localhost", "starttls", "undertow", "pa55word"),
        ("risk@bank.example",),
    )
    assert told["slack"] == SlackWebhookSender(HOOK)
    assert told["teams"] == AppriseSender("teams", "msteams://tokenA/tokenB/tokenC")
    for secret in ("pa55word", "SeCrEtPaTh", "tokenA"):
        assert secret not in repr(told)


def test_bot_token_wins_over_the_webhook(tmp_path: Path) -> None:
    told = senders_with(
        tmp_path, slack_webhook_url=HOOK, slack_bot_token="xoxb-1", slack_api_url="http://127.0.0.1:1/api/"
    )
    assert told["slack"] == SlackBotSender("C01", "xoxb-1", "http://127.0.0.1:1/api/")
    assert "xoxb" not in repr(told["slack"])


def test_airflow_connections_stand_in(tmp_path: Path) -> None:
    told = senders_with(
        tmp_path,
        {
            "smtp_default": "smtp://user:p%40ss@mail.example:2525/?disable_ssl=true&from_email=a%40b.example",
            "slack_default": {"conn_type": "slackwebhook", "host": "https://hooks.slack.com/services", "password": "T/B/X"},
            "apprise_default": json.dumps(
                {"conn_type": "apprise", "extra": {"config": [{"path": "json://h/x", "tag": "teams"}]}}
            ),
        },
    )  # fmt: skip
    assert told["mail"].server == MailServer(  # type: ignore[attr-defined]
        "mail.example", 2525, "a@b.example", "starttls", "user", "p@ss"
    )
    assert told["slack"] == SlackWebhookSender("https://hooks.slack.com/services/T/B/X")
    assert told["teams"] == AppriseSender("teams", "json://h/x")


@pytest.mark.parametrize(
    ("extra", "port", "expected"),
    [
        ({}, None, ("tls", 465)),
        ({"disable_ssl": True}, None, ("starttls", 587)),
        ({"disable_ssl": "true", "disable_tls": "True"}, 1025, ("none", 1025)),
    ],
)
def test_smtp_security_as_airflow_reads_it(
    extra: dict[str, Any], port: int | None, expected: tuple[str, int]
) -> None:
    connection = read_connection({"conn_type": "smtp", "host": "h", "port": port, "extra": extra})
    server = mail_server(load_settings(), connection)
    assert isinstance(server, MailServer)
    assert (server.security, server.port) == expected


def test_connections_of_the_environment() -> None:
    environment = {
        "AIRFLOW_CONN_SMTP_DEFAULT": '{"conn_type": "smtp", "host": "h", "extra": "{\\"disable_tls\\": true}"}',
        "AIRFLOW_CONN_SLACK_API_DEFAULT": "slack://:xoxb-1@/?__extra__=%7B%22base_url%22%3A%22http%3A%2F%2Fx%22%7D",
        "AIRFLOW_CONN_OTHER": "http://x",
    }
    found = connections_in(environment)
    assert set(found) == {"smtp_default", "slack_api_default"}
    assert found["smtp_default"].flag("disable_tls")
    assert found["slack_api_default"].password == "xoxb-1"
    assert found["slack_api_default"].extra["base_url"] == "http://x"
    assert "xoxb" not in repr(found)


@pytest.mark.parametrize("text", ["{not json", '{"port": "pa55word"}', "smtp://u:pa55word@h:notaport"])
def test_a_broken_connection_shows_nothing_of_itself(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_connection(text, "smtp_default")
    assert "smtp_default" in str(caught.value)
    assert "pa55word" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_sender_address_is_said(tmp_path: Path) -> None:
    told = senders_with(tmp_path, smtp_host="h", smtp_from="not an address")
    assert "UNDERTOW_SMTP_FROM" in told["mail"].why  # type: ignore[attr-defined]


def test_apprise_addresses_may_hold_commas() -> None:
    assert apprise_urls("a=json://h/x,y , b-2=tgram://1:2/3,4,c=mailto://u:p@h") == {
        "a": "json://h/x,y",
        "b-2": "tgram://1:2/3,4",
        "c": "mailto://u:p@h",
    }
    assert apprise_urls("") == {}


def test_every_part_of_an_apprise_address_is_hidden() -> None:
    secrets = secrets_in("tgram://123456789:AbCdEfGh/-100200300?x=s%2Fecret1")
    said = "POST https://api.telegram.org/bot123456789:AbCdEfGh/send chat -100200300 s/ecret1 failed"
    hidden = hide(said, *secrets)
    for secret in ("123456789", "AbCdEfGh", "100200300", "ecret1"):
        assert secret not in hidden
