"""Webhooks, Apprise and slow servers: what each kind of receiver gets, and that no secret is shown."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from notify_sinks import MailSink, SlackSink, free_port
from notify_world import (
    MAIL_AND_SLACK,
    START,
    World,
    counts,
    later,
    mail_and_slack_world,
    make_world,
    payload,
)
from sqlalchemy.engine import Engine

from pipeline.notify.apprise import AppriseSender
from pipeline.notify.message import Message
from pipeline.notify.sending import Occasion
from pipeline.store import notifications


@pytest.fixture
def world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    return mail_and_slack_world(engine, tmp_path, mail, slack)


def test_webhook_mode_posts_each_event(engine: Engine, tmp_path: Path, slack: SlackSink) -> None:
    world = make_world(engine, tmp_path, MAIL_AND_SLACK, slack_webhook_url=slack.webhook_url)
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("slack", START)])
    world.notify()
    world.tell(alert, "resolve", at=later(hours=1))
    world.notify(later(hours=1))
    assert [w["text"].split(" · ")[0] for w in slack.webhooks] == ["Critical", "Resolved"]
    slack.answers = [(404, "no_service", {})]
    world.tell(world.raise_alert("Halvorsen"), deliveries=[notifications.Delivery("slack", START)])
    assert counts(world.notify(later(hours=2))) == {"retry": 1}
    [error] = [row[0] for row in world.rows("error") if row[0]]
    assert error == "Slack's webhook answered 404 no_service"


def test_a_page_in_place_of_slacks_webhook_has_taken_nothing(
    engine: Engine, tmp_path: Path, slack: SlackSink
) -> None:
    world = make_world(engine, tmp_path, MAIL_AND_SLACK, slack_webhook_url=slack.webhook_url)
    slack.answers = [(200, "\n<!DOCTYPE html><title>This site is blocked</title>", {})]
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("slack", START)])
    assert counts(world.notify()) == {"retry": 1}
    [error] = [row[0] for row in world.rows("error")]
    assert error.startswith("a web page came in place of Slack's answer; ")
    assert counts(world.notify(later(minutes=2))) == {"sent": 1}
    assert len(slack.webhooks) == 1


APPRISE = """
[receivers.teams]
kind = "apprise"
url_setting = "teams"

[[routes]]
receivers = ["teams"]
"""


def test_apprise_sends_title_and_text(
    engine: Engine, tmp_path: Path, slack: SlackSink, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"json://127.0.0.1:{slack.port}/services/SeCrEtPaTh"
    world = make_world(engine, tmp_path, APPRISE, apprise_urls=f"teams={address}")
    world.tell(world.raise_alert())
    assert counts(world.notify()) == {"sent": 1}
    [sent] = slack.webhooks
    assert sent["title"].startswith("Critical · Nordbank: 23 negative stories")
    assert "STORIES THAT CARRY IT" in sent["message"]
    assert sent["type"] == "failure"
    caplog.set_level(0)
    slack.answers = [(500, "SeCrEtPaTh is wrong", {})]
    world.tell(world.raise_alert("Halvorsen"))
    assert counts(world.notify()) == {"retry": 1}
    assert "JSON" in world.rows("error")[1][0]
    assert "SeCrEtPaTh" not in str(world.rows("error")) + "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp")
    )


def apprise_parts(slack: SlackSink, monkeypatch: pytest.MonkeyPatch, service: str, address: str) -> list[Any]:
    """What a service of Apprise, moved to loopback, is posted for an alert of 5,000 characters."""
    from importlib import import_module

    module, plugin = service.split(".")
    found = getattr(import_module(f"apprise.plugins.{module}"), plugin)
    monkeypatch.setattr(found, "notify_url", slack.webhook_url, raising=False)
    monkeypatch.setattr(found, "request_rate_per_sec", 0)
    text = (
        "".join(f"{number:3}. “{'bad news ' * 10}”\n" for number in range(50)) + f"On the desk     {DESK}\n"
    )
    message = Message("c0ffee", "open", "critical", "Critical · Nordbank", "", text, "", ())
    AppriseSender("x", address).send(message, Occasion())
    return slack.webhooks


DESK = "https://undertow.bank.example/alerts/17"
DISCORD = ("discord.NotifyDiscord", f"discord://{'1' * 18}/{'t' * 60}/")
WECOM = ("wecombot.NotifyWeComBot", "wecombot://botkeybotkey/")
PAGERDUTY = ("pagerduty.NotifyPagerDuty", "pagerduty://integration@apikey/")


@pytest.mark.parametrize(
    ("service", "address", "limit", "text_in"),
    [
        (*DISCORD, 2000, lambda post: post["content"]),
        (*WECOM, 2048, lambda post: post["text"]["content"]),
    ],
)
def test_a_text_longer_than_an_apprise_service_takes_goes_out_in_parts(
    slack: SlackSink, monkeypatch: pytest.MonkeyPatch, service: str, address: str, limit: int, text_in: Any
) -> None:
    parts = [text_in(post) for post in apprise_parts(slack, monkeypatch, service, address)]
    assert len(parts) in (3, 4)
    assert max(len(part.encode() if "wecom" in service else part) for part in parts) <= limit
    assert DESK in parts[-1]
    assert all(f"{number:3}. “bad news" in "\n".join(parts) for number in range(1, 50))


def test_an_address_may_say_that_a_long_text_is_cut(
    slack: SlackSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, address = DISCORD
    assert len(apprise_parts(slack, monkeypatch, service, address + "?overflow=truncate")) == 1


def test_a_pager_rings_once_however_long_the_text(slack: SlackSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apprise.plugins.pagerduty.PAGERDUTY_API_LOOKUP", {"us": slack.webhook_url})
    [post] = apprise_parts(slack, monkeypatch, *PAGERDUTY)
    assert post["payload"]["summary"].startswith("Critical · Nordbank")
    assert len(post["payload"]["summary"]) <= 1024


def test_no_secret_in_any_row_or_log(
    engine: Engine, tmp_path: Path, slack: SlackSink, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(0)
    secrets = ("SeCrEtPaTh", "pa55word", "xoxb-very-secret", "tokenTOKEN123")
    hooks = [
        {"slack_webhook_url": slack.webhook_url},
        {"slack_webhook_url": f"http://127.0.0.1:{free_port()}/services/SeCrEtPaTh"},
        {"slack_bot_token": "xoxb-very-secret", "slack_api_url": f"http://127.0.0.1:{free_port()}/api/"},
        {"slack_bot_token": "xoxb-very-secret", "slack_api_url": slack.api_url},
    ]
    for number, hook in enumerate(hooks):
        slack.answers = [
            (403, {"ok": False, "error": "invalid_auth", "echo": "xoxb-very-secret SeCrEtPaTh"}, {})
        ]
        world = make_world(
            engine,
            tmp_path,
            MAIL_AND_SLACK + APPRISE.replace("[[routes]]", "[[routes]]\nname = 'x'"),
            smtp_host="127.0.0.1",
            smtp_port=free_port(),
            smtp_user="undertow",
            smtp_password="pa55word",
            apprise_urls=f"teams=jsons://undertow:pa55word@127.0.0.1:{free_port()}/tokenTOKEN123",
            **hook,
        )
        world.tell(world.raise_alert(f"Company {number}"))
        assert counts(world.notify(later(days=number))).get("retry") == 3
    printed = capfd.readouterr()
    everything = json.dumps(world.rows("error, payload, external_id"), default=str) + caplog.text
    everything += printed.out + printed.err
    for secret in secrets:
        before, found, after = everything.partition(secret)
        assert not found, before[-200:] + found + after[:100]


def test_login_refused_is_retried_without_the_password(engine: Engine, tmp_path: Path) -> None:
    with MailSink() as sink:
        world = make_world(
            engine, tmp_path, MAIL_AND_SLACK, smtp_host="127.0.0.1", smtp_port=sink.port,
            smtp_user="undertow", smtp_password="pa55word",
        )  # fmt: skip
        world.tell(world.raise_alert(), deliveries=[notifications.Delivery("mail", START)])
        assert counts(world.notify()) == {"retry": 1}
    assert "UNDERTOW_SMTP_SECURITY" in world.rows("error")[0][0]


def test_a_receiver_that_left_the_file_waits_for_its_return(world: World, mail: MailSink) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("gone", START)])
    assert counts(world.notify()) == {"retry": 1}
    assert "no [receivers.gone]" in world.rows("error")[0][0]


def test_a_bug_in_one_message_is_raised_after_all_others_were_told(world: World, mail: MailSink) -> None:
    broken, fine = world.raise_alert("Broken"), world.raise_alert("Fine")
    only_mail = [notifications.Delivery("mail", START)]
    world.tell(broken, deliveries=only_mail, evidence={**payload(), "negative": "not a number"})
    world.tell(fine, deliveries=only_mail)
    with pytest.raises(ValueError):
        world.notify()
    assert len(mail.mails) == 1
    assert world.rows("state, error")[0] == ("pending", "ValueError in our own code")


def test_a_tarpit_times_out(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.notify.email.TIMEOUT_S", 0.3)
    with socket.socket() as tarpit:
        tarpit.bind(("127.0.0.1", 0))
        tarpit.listen()
        world = make_world(
            engine, tmp_path, MAIL_AND_SLACK, smtp_host="127.0.0.1", smtp_port=tarpit.getsockname()[1]
        )
        world.tell(world.raise_alert(), deliveries=[notifications.Delivery("mail", START)])
        started = datetime.now()  # noqa: DTZ005
        assert counts(world.notify()) == {"retry": 1}
        assert datetime.now() - started < timedelta(seconds=10)  # noqa: DTZ005


@pytest.mark.parametrize(("receiver", "drop"), [("mail", b"220-wait\r\n"), ("slack", b"HTTP/1.1 200 OK\r\n")])
def test_a_server_that_drips_its_answer_for_ever_ends_its_own_turn_only(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: str, drop: bytes
) -> None:
    monkeypatch.setattr("pipeline.notify.sending.SEND_S", 0.5)
    with dripping(drop) as port:
        world = make_world(
            engine, tmp_path, MAIL_AND_SLACK, smtp_host="127.0.0.1", smtp_port=port, slack_bot_token="xoxb-1",
            slack_api_url=f"http://127.0.0.1:{port}/",
        )  # fmt: skip
        world.tell(world.raise_alert(), deliveries=[notifications.Delivery(receiver, START)])
        started = time.monotonic()
        assert counts(world.notify()) == {"retry": 1}
        assert time.monotonic() - started < 5
    [error] = [row[0] for row in world.rows("error")]
    assert "no whole answer within" in error


@contextmanager
def dripping(drop: bytes) -> Iterator[int]:
    """A server that says `drop` again and again, ten seconds long, and never what is waited for."""
    over = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                for _ in range(200):
                    self.request.sendall(drop)
                    if over.wait(0.05):
                        return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        over.set()
        server.shutdown()
