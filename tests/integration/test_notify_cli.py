"""The commands notify, digest and receivers, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from notify_sinks import MailSink, free_port
from notify_world import START, World, later, make_world
from sqlalchemy.engine import Engine
from typer.testing import CliRunner, Result

from pipeline.cli import alerts as alert_commands
from pipeline.cli import notify as commands
from pipeline.store.notifications import Delivery

ALERTS = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[receivers.floor]
kind = "slack"
channel = "C01"

[[routes]]
severity = "critical"
weekdays = ["mon-fri", "sun"]
receivers = ["mail"]

[[digests]]
name = "morning"
every = "day"
at = "FAR_OFF"
receivers = ["mail"]
"""

TO_MAIL = [Delivery("mail", START)]


@pytest.fixture
def world(engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # due in half a day, so never by itself while the tests run
    world = make_world(engine, tmp_path, ALERTS.replace("FAR_OFF", f"{later(hours=12):%H:%M}"))
    monkeypatch.setenv("UNDERTOW_DATABASE_URL", database_url)
    monkeypatch.setenv("UNDERTOW_ALERTS_FILE", str(tmp_path / "alerts.toml"))
    monkeypatch.setenv("UNDERTOW_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("UNDERTOW_SMTP_SECURITY", "none")
    monkeypatch.setenv("UNDERTOW_SMTP_PORT", str(free_port()))
    return world


def undertow(*arguments: str) -> Result:
    root = typer.Typer()
    commands.register(root)
    alert_commands.register(root)
    return CliRunner().invoke(root, arguments, catch_exceptions=False)


def test_notify_sends_and_again_brings_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tell(world.raise_alert(), deliveries=TO_MAIL)
    world.run("update notifications set state = 'failed'")
    assert json.loads(undertow("notify", "--json").stdout)["sent"] == 0
    with MailSink() as mail:
        monkeypatch.setenv("UNDERTOW_SMTP_PORT", str(mail.port))
        report = json.loads(undertow("notify", "--again", "--receiver", "mail", "--json").stdout)
        assert (report["put_back"], report["sent"]) == (1, 1)
        assert len(mail.mails) == 1


def test_digest_is_printed_and_only_sent_when_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.raise_alert()
    printed = undertow("digest", "morning").stdout
    assert printed.startswith("Day to")
    assert "Critical: Nordbank" in printed
    assert json.loads(undertow("digest", "--json").stdout)["alerts"][0]["title"] == "Nordbank"
    assert world.rows() == []
    with MailSink() as mail:
        monkeypatch.setenv("UNDERTOW_SMTP_PORT", str(mail.port))
        assert undertow("digest", "morning", "--send").exit_code == 0
        assert "1 alert, 1 critical" in mail.subjects()[0]


def test_an_unknown_digest_names_those_there_are(world: World) -> None:
    from pipeline.errors import UsageError

    with pytest.raises(UsageError, match="'morning'"):
        undertow("digest", "evening")


def test_receivers_list_shows_what_waits(world: World) -> None:
    world.tell(world.raise_alert(), deliveries=TO_MAIL)
    undertow("notify")
    rows = {row["name"]: row for row in json.loads(undertow("receivers", "list", "--json").stdout)}
    assert (rows["mail"]["pending"], rows["mail"]["routes"]) == (1, 1)
    assert "cannot be reached" in rows["mail"]["last_error"]
    assert (rows["mail"]["where"], rows["floor"]["where"]) == ("risk@bank.example", "C01")
    assert "floor" in undertow("receivers", "list").stdout


def test_receivers_check_finds_what_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = undertow("receivers", "check")
    assert said.exit_code == 1
    assert "UNDERTOW_SLACK_BOT_TOKEN" in said.stdout
    assert "nobody is told of critical company alerts from Sat 00:00 to Sun 00:00 UTC" in said.stdout.replace(
        "\n", " "
    )
    with MailSink() as mail:
        monkeypatch.setenv("UNDERTOW_SMTP_PORT", str(mail.port))
        checked = json.loads(undertow("receivers", "check", "--send", "--receiver", "mail", "--json").stdout)
        assert checked["receivers"] == [{"receiver": "mail", "ok": True, "state": "took the test message"}]
        assert mail.subjects() == ["Test message from Undertow"]


def test_receivers_check_looks_for_the_operator(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_OPERATOR_RECEIVER", "nosuch")
    said = undertow("receivers", "check", "--receiver", "mail", "--json")
    assert said.exit_code == 1
    row = json.loads(said.stdout)["receivers"][-1]
    assert (row["receiver"], row["ok"]) == ("nosuch", False)
    assert "UNDERTOW_OPERATOR_RECEIVER names it" in row["state"]


def test_receivers_check_looks_at_every_kind_of_series(world: World, tmp_path: Path) -> None:
    route = '[[routes]]\nseries = ["all", "topic", "company"]\nreceivers = ["mail"]\n'
    (tmp_path / "alerts.toml").write_text(ALERTS.split("[receivers.floor]")[0] + route)
    said = undertow("receivers", "check")
    assert said.exit_code == 1
    assert "nobody is told of critical sector alerts" in said.stdout
    assert "company alerts" not in said.stdout


def test_a_test_alert_goes_out_before_anything_was_fetched_or_scored(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_day = ALERTS.replace('weekdays = ["mon-fri", "sun"]\n', "").replace(
        "FAR_OFF", f"{later(hours=12):%H:%M}"
    )
    (tmp_path / "alerts.toml").write_text(every_day)
    with MailSink() as mail:
        monkeypatch.setenv("UNDERTOW_SMTP_PORT", str(mail.port))
        report = json.loads(undertow("alerts", "test", "--json").stdout)
        assert (report["receivers"], report["sent"]) == ("mail", 1)
        assert len(mail.mails) == 1
    assert "no alert is open" in undertow("alerts", "list").stdout
    assert "(test)" in undertow("alerts", "list", "--all").stdout
