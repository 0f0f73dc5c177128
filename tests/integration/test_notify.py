"""The outbox against a real mail server and a Slack-shaped one: in order, once, and one dead receiver harms no other."""

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
from detect_world import BAD
from detect_world import NOW as NEWS_NOW
from detect_world import World as NewsWorld
from notify_sinks import MailSink, SlackSink, free_port
from notify_world import START, World, later, make_world, payload
from sqlalchemy.engine import Engine

from pipeline.detect.step import build_windows
from pipeline.notify import step
from pipeline.notify.apprise import AppriseSender
from pipeline.notify.message import Message
from pipeline.notify.sending import Occasion
from pipeline.store import desk_alerts, models, notifications, scores
from pipeline.types import StoryScore

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


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    return make_world(
        engine,
        tmp_path,
        MAIL_AND_SLACK,
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
        slack_bot_token="xoxb-test",
        slack_api_url=slack.api_url,
    )


def counts(report: step.NotifyReport) -> dict[str, int]:
    return {name: value for name, value in report.as_dict().items() if value}


def test_an_episode_is_one_thread_of_mails_and_one_slack_message(
    world: World, mail: MailSink, slack: SlackSink
) -> None:
    alert = world.raise_alert(severity="warning")
    assert world.tell(alert, severity="warning", evidence={**payload(), "severity": "warning"}) == 2
    assert counts(world.notify()) == {"sent": 2}
    world.tell(alert, "rise", at=later(minutes=30))
    assert counts(world.notify(later(minutes=30))) == {"sent": 2}
    world.tell(alert, "resolve", at=later(hours=6))
    assert counts(world.notify(later(hours=6))) == {"sent": 2}

    assert [subject.split(" · ")[0] for subject in mail.subjects()] == ["Warning", "Now critical", "Resolved"]
    first, rise, resolve = mail.mails
    assert first["In-Reply-To"] is None
    assert rise["References"] == resolve["References"] == first["Message-ID"]
    assert len({m["Message-ID"] for m in mail.mails}) == 3
    assert mail.recipients[0] == ["risk@bank.example", "duty@bank.example"]
    assert "rose to critical" in resolve.get_body(("plain",)).get_content()

    root, *replies = slack.messages
    assert [reply["thread_ts"] for reply in replies] == [root["ts"], root["ts"]]
    assert [reply["reply_broadcast"] for reply in replies] == [True, False]
    assert root["edits"] == 2
    assert "🟢 Resolved · Nordbank" in slack.text_of(root)
    assert "Calm again after 6 h" in slack.text_of(root)
    assert len(set(slack.keys())) == 3
    assert slack.tokens == {"Bearer xoxb-test"}
    assert "unfurl_links" in root
    assert set(world.rows("state")) == {("sent",)}


def test_running_again_changes_nothing(world: World, mail: MailSink, slack: SlackSink) -> None:
    alert = world.raise_alert()
    world.tell(alert)
    world.notify()
    assert counts(world.notify()) == {}
    assert (len(mail.mails), len(slack.messages)) == (1, 1)
    with world.engine.begin() as connection:
        event = world.run("select id from alert_events")[0][0]
        again = notifications.write_outbox(
            connection, alert, event, "open", [step.notifications.Delivery("mail", START)], payload(), START
        )
    assert again == 0


def test_the_outbox_is_part_of_the_callers_transaction(world: World) -> None:
    deliveries = [notifications.Delivery("mail", START)]
    with world.engine.connect() as connection:
        assert notifications.write_message(connection, "operator", "x", deliveries, {}, START) == 1
        connection.rollback()
    assert world.rows() == []


def test_a_dead_receiver_holds_back_nobody_and_is_tried_again(
    world: World, mail: MailSink, slack: SlackSink
) -> None:
    for name in ("Nordbank", "Halvorsen", "Kestrel"):
        world.tell(world.raise_alert(name))
    mail.answer = lambda _: "451 try later"
    report = world.notify()
    assert counts(report) == {"sent": 3, "retry": 1}
    assert len(slack.messages) == 3
    # the first failure ended its turn: the other two were not tried
    assert [row for row in world.rows() if row[0] == "mail"] == [
        ("mail", "open", "pending", 1),
        ("mail", "open", "pending", 0),
        ("mail", "open", "pending", 0),
    ]
    assert "451 try later" in world.rows("error")[0][0]
    assert counts(world.notify(later(seconds=30))) == {"retry": 1}
    mail.answer = lambda _: None
    assert counts(world.notify(later(minutes=5))) == {"sent": 3}
    assert len(mail.mails) == 3
    assert set(world.rows("state, error")) == {("sent", None)}


def test_a_server_that_hangs_up_or_is_not_there_is_tried_again(
    engine: Engine, tmp_path: Path, slack: SlackSink
) -> None:
    world = make_world(
        engine, tmp_path, MAIL_AND_SLACK, smtp_host="127.0.0.1", smtp_port=free_port(),
        slack_bot_token="xoxb-test", slack_api_url=slack.api_url,
    )  # fmt: skip
    world.tell(world.raise_alert())
    assert counts(world.notify()) == {"sent": 1, "retry": 1}
    assert "cannot be reached" in world.rows("error")[0][0]


def test_given_up_after_a_day_told_to_the_operator_and_brought_back(
    world: World, mail: MailSink, slack: SlackSink
) -> None:
    world.settings = world.settings.model_copy(update={"operator_receiver": "slack"})
    world.tell(world.raise_alert())
    mail.answer = lambda _: "451 try later"
    world.notify()
    at, tries = START, 0
    while ("mail", "open", "pending") in world.rows("receiver, kind, state"):
        at += timedelta(hours=1)
        world.notify(at)
        tries += 1
        assert tries < 50
    assert timedelta(hours=22) < at - START < timedelta(hours=26)
    assert world.rows("receiver, kind, state")[0] == ("mail", "open", "failed")
    world.notify(at)
    told = " ".join(slack.text_of(message) for message in slack.messages)
    assert "A message to mail was given up" in told
    assert "mail takes no messages" in told
    # once a day, not at each try
    assert len(slack.messages) <= 1 + 1 + 2

    with world.engine.begin() as connection:
        assert notifications.requeue_failed(connection, at) == 1
    assert counts(world.notify(at)) == {"retry": 1}, "it has another day"
    mail.answer = lambda _: None
    assert counts(world.notify(at + timedelta(hours=2))) == {"sent": 1}
    assert len(mail.mails) == 1


def test_one_receiver_is_brought_back_without_the_others(world: World) -> None:
    world.tell(world.raise_alert())
    world.run("update notifications set state = 'failed'")
    assert sorted(world.rows("receiver")) == [("mail",), ("slack",)]
    with world.engine.begin() as connection:
        assert notifications.requeue_failed(connection, START, "mail") == 1
    assert sorted(world.rows("receiver, state")) == [("mail", "pending"), ("slack", "failed")]


def test_a_refusal_for_good_is_failed_at_once_and_the_rest_goes_out(world: World, mail: MailSink) -> None:
    for name in ("Nordbank", "Halvorsen"):
        world.tell(world.raise_alert(name), deliveries=[notifications.Delivery("mail", START)])
    refusals = iter(["554 looks like spam"])
    mail.answer = lambda _: next(refusals, None)
    assert counts(world.notify()) == {"sent": 1, "failed": 1}
    assert world.rows("state") == [("failed",), ("sent",)]
    assert "554" in world.rows("error")[0][0]


def test_refused_recipients(world: World, mail: MailSink) -> None:
    mail.refuse = {"duty@bank.example"}
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("mail", START)])
    world.notify()
    assert world.rows("state, error") == [("sent", "1 of 2 recipients were refused")]
    mail.refuse = {"duty@bank.example", "risk@bank.example"}
    world.tell(world.raise_alert("Halvorsen"), deliveries=[notifications.Delivery("mail", START)])
    world.notify()
    [state, error] = world.rows("state, error")[1]
    assert state == "failed"
    assert "refused every recipient (550)" in error
    assert "@" not in error


def test_slack_asks_to_slow_down(world: World, slack: SlackSink) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("slack", START)])
    slack.answers = [(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "900"})]
    assert counts(world.notify()) == {"retry": 1}
    assert world.rows("not_before_at") == [(later(seconds=900),)]
    assert counts(world.notify(later(seconds=899))) == {}
    assert counts(world.notify(later(seconds=900))) == {"sent": 1}


@pytest.mark.parametrize("word", ["invalid_auth", "channel_not_found", "not_in_channel", "fatal_error"])
def test_what_a_person_can_put_right_in_slack_is_tried_again(
    world: World, slack: SlackSink, word: str
) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("slack", START)])
    slack.answers = [(200, {"ok": False, "error": word}, {})]
    assert counts(world.notify()) == {"retry": 1}
    assert word in world.rows("error")[0][0]
    assert counts(world.notify(later(minutes=2))) == {"sent": 1}
    assert len(slack.messages) == 1


def test_slack_down_with_a_page_of_html(world: World, slack: SlackSink) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("slack", START)])
    slack.answers = [(503, "<html>down</html>", {"Content-Type": "text/html"})] * 3
    assert counts(world.notify()) == {"retry": 1}


# ---- told once


def test_a_message_that_arrived_before_the_process_died_is_found_in_slack(
    world: World, slack: SlackSink
) -> None:
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("slack", START)])
    world.notify()
    # as if it had died between the answer and the mark
    world.run("update notifications set state = 'pending', sent_at = null, external_id = null")
    world.run("delete from message_threads")
    assert counts(world.notify(later(minutes=1))) == {"sent": 1}
    assert len(slack.messages) == 1
    assert world.rows("external_id") == [(f"C01:{slack.messages[0]['ts']}",)]

    world.tell(
        alert, "rise", at=later(minutes=2), deliveries=[notifications.Delivery("slack", later(minutes=2))]
    )
    world.notify(later(minutes=2))
    world.run("update notifications set state = 'pending' where kind = 'rise'")
    assert counts(world.notify(later(minutes=3))) == {"sent": 1}
    assert len(slack.messages) == 2
    assert "conversations.replies" in slack.calls


def test_a_bot_that_may_not_read_sends_again_and_says_so(world: World, slack: SlackSink) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("slack", START)])
    world.run("update notifications set attempts = 1, first_attempt_at = :at", at=START)
    slack.answers = [(200, {"ok": False, "error": "missing_scope"}, {})]
    assert counts(world.notify()) == {"sent": 1}
    assert "may not read" in world.rows("error")[0][0]


def test_a_mail_sent_twice_has_one_message_id(world: World, mail: MailSink) -> None:
    world.tell(world.raise_alert(), deliveries=[notifications.Delivery("mail", START)])
    world.notify()
    world.run("update notifications set state = 'pending'")
    world.notify(later(minutes=1))
    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert "may be a repeat" in second.get_body(("plain",)).get_content()
    # another installation with the same ids must not be taken for a repeat
    world.run("update notifications set state = 'pending', created_at = created_at + interval '1 second'")
    world.notify(later(minutes=2))
    assert mail.mails[2]["Message-ID"] != first["Message-ID"]


def test_an_edited_message_that_is_gone_is_posted_anew(world: World, slack: SlackSink) -> None:
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("slack", START)])
    world.notify()
    slack.messages.clear()
    world.tell(alert, "resolve", at=later(hours=1))
    assert counts(world.notify(later(hours=1))) == {"sent": 1}
    assert "Resolved" in slack.text_of(slack.messages[0])


@pytest.mark.parametrize("thread", ["webhook:c0ffee", "<c0ffee@bank.example>"])
def test_an_alert_that_began_by_webhook_or_mail_goes_on_at_the_bot(
    world: World, slack: SlackSink, thread: str
) -> None:
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("slack", START)])
    world.notify()
    world.run("update message_threads set external_id = :thread", thread=thread)
    slack.calls.clear()
    world.tell(alert, "rise", at=later(hours=1), deliveries=[notifications.Delivery("slack", later(hours=1))])
    assert counts(world.notify(later(hours=1))) == {"sent": 1}
    assert slack.calls == ["chat.postMessage"]
    assert "thread_ts" not in slack.messages[1]


@pytest.mark.parametrize("word", ["channel_not_found", "not_in_channel", "is_archived"])
def test_an_alert_in_a_channel_that_the_bot_left_goes_on_in_that_of_today(
    world: World, slack: SlackSink, word: str
) -> None:
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("slack", START)])
    world.notify()
    world.run("update message_threads set external_id = 'C0OLD:1700000000.000100'")
    refused = (200, {"ok": False, "error": word}, {})
    slack.answers = [refused, refused]  # the old channel, and then that of today too
    world.tell(alert, "resolve", at=later(hours=1))
    assert counts(world.notify(later(hours=1))) == {"retry": 1}
    assert word in next(row[0] for row in world.rows("error") if row[0])
    slack.answers = [refused]
    assert counts(world.notify(later(hours=2))) == {"sent": 1}
    assert [message["channel"] for message in slack.messages] == ["C01", "C01"]
    assert "Resolved" in slack.text_of(slack.messages[1])


def test_two_notifiers_at_once_tell_once(world: World, mail: MailSink, slack: SlackSink) -> None:
    for number in range(6):
        world.tell(world.raise_alert(f"Company {number}"))
    mail.delay_s = slack.delay_s = 0.03
    reports: list[step.NotifyReport] = []
    threads = [threading.Thread(target=lambda: reports.append(world.notify())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while counts(world.notify()):
        pass
    assert sorted(slack.keys()) == sorted(set(slack.keys()))
    assert (len(mail.mails), len(slack.messages)) == (6, 6)
    assert sum(report.sent for report in reports) == 12


# ---- order, quiet hours


def test_a_resolve_waits_for_its_open(world: World, mail: MailSink) -> None:
    alert = world.raise_alert()
    world.tell(alert, deliveries=[notifications.Delivery("mail", START)])
    mail.answer = lambda _: "451 try later"
    world.notify()
    world.tell(alert, "resolve", at=later(seconds=10))
    mail.answer = lambda _: None
    assert counts(world.notify(later(seconds=20))) == {}
    assert counts(world.notify(later(minutes=5))) == {"sent": 2}
    assert [s.split(" · ")[0] for s in mail.subjects()] == ["Critical", "Resolved"]


def quiet_world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    """Quiet hours from before START to nine hours after it."""
    quiet = (START - timedelta(minutes=1)).strftime("%H:%M"), (START + timedelta(hours=9)).strftime("%H:%M")
    return make_world(
        engine, tmp_path, MAIL_AND_SLACK + f'\n[quiet_hours]\nhours = "{quiet[0]}-{quiet[1]}"\n',
        smtp_host="127.0.0.1", smtp_port=mail.port, slack_bot_token="xoxb-test", slack_api_url=slack.api_url,
    )  # fmt: skip


def test_what_opened_and_resolved_in_quiet_hours_is_one_message_in_the_morning(
    engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink
) -> None:
    world = quiet_world(engine, tmp_path, mail, slack)
    alert = world.raise_alert(severity="warning")
    world.tell(alert, severity="warning")
    world.tell(alert, "resolve", at=later(hours=2), severity="warning")
    open_ended = world.raise_alert("Halvorsen", severity="warning")
    world.tell(open_ended, severity="warning")
    assert counts(world.notify(later(hours=8))) == {}
    assert counts(world.notify(later(hours=9, minutes=1))) == {"sent": 4}
    assert sorted(s.split(" · ")[0] for s in mail.subjects()) == ["Critical", "Resolved"]
    [resolved] = [m for m in mail.mails if str(m["Subject"]).startswith("Resolved")]
    text = resolved.get_body(("plain",)).get_content()
    assert "opened as" in text
    assert "STORIES AT ITS HEIGHT" in text
    assert len(slack.messages) == 2
    assert {row[0] for row in world.rows("state")} == {"sent"}
    assert len(world.rows("id")) == 6


def test_a_rise_to_critical_does_not_wait_for_its_warning_to_be_told_in_the_morning(
    engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink
) -> None:
    world = quiet_world(engine, tmp_path, mail, slack)
    alert = world.raise_alert(severity="warning")
    world.tell(alert, severity="warning", evidence={**payload(), "severity": "warning"})
    assert counts(world.notify(later(hours=2))) == {}
    world.tell(alert, "rise", at=later(hours=3))
    world.tell(alert, "resolve", at=later(hours=5))  # never urgent: it waits
    assert counts(world.notify(later(hours=5))) == {"sent": 2}
    assert counts(world.notify(later(hours=8))) == {}
    assert counts(world.notify(later(hours=9, minutes=1))) == {"sent": 2}

    assert [s.split(" · ")[0] for s in mail.subjects()] == ["Now critical", "Resolved"]
    rise, resolve = mail.mails
    assert (rise["In-Reply-To"], resolve["References"]) == (None, rise["Message-ID"])
    root, reply = slack.messages
    assert reply["thread_ts"] == root["ts"]
    assert {row[0] for row in world.rows("state")} == {"sent"}
    assert len(world.rows("id")) == 6


def test_a_sender_passes_over_an_end_that_is_being_withdrawn(world: World, mail: MailSink) -> None:
    alert = world.raise_alert()
    world.tell(alert)
    world.tell(alert, "resolve", at=later(seconds=10))
    with world.engine.begin() as connection:  # a tick in which the alert is open again, not committed yet
        connection.exec_driver_sql("set local statement_timeout = '20s'")
        assert notifications.withdraw_resolves(connection, alert) == 2
        assert counts(world.notify(later(minutes=1))) == {"sent": 2}
    assert counts(world.notify(later(minutes=2))) == {}
    assert [s.split(" · ")[0] for s in mail.subjects()] == ["Critical"]
    assert {row[1:3] for row in world.rows()} == {("open", "sent")}


# ---- webhook, Apprise, secrets


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


# ---- digests, silences, operator


def test_a_digest_is_sent_once_when_it_falls_due(engine: Engine, tmp_path: Path, mail: MailSink) -> None:
    due = START.replace(minute=0, second=0) + timedelta(hours=1)
    digest = f'\n[[digests]]\nname = "desk"\nevery = "day"\nat = "{due:%H:%M}"\nreceivers = ["mail"]\n'
    world = make_world(engine, tmp_path, MAIL_AND_SLACK + digest, smtp_host="127.0.0.1", smtp_port=mail.port)
    world.raise_alert(at=START - timedelta(hours=3))
    # it fell due yesterday, before it was configured
    assert counts(world.notify(START)) == {}
    assert counts(world.notify(due)) == {"written": 1, "sent": 1}
    assert counts(world.notify(due + timedelta(minutes=15))) == {}
    [told] = mail.mails
    assert told["Subject"].startswith("Day to")
    text = told.get_body(("plain",)).get_content()
    assert "1 alert, 1 critical" in text
    assert "Critical: Nordbank" in text
    assert "Regulator opens probe" in text
    assert counts(world.notify(due + timedelta(days=1))) == {"written": 1, "sent": 1}


def test_digests_that_fell_due_while_the_machine_slept_are_told_as_one(
    engine: Engine, tmp_path: Path, mail: MailSink
) -> None:
    due = START.replace(minute=0, second=0) + timedelta(hours=1)
    day = f"{due:%a}".lower()
    lines = "".join(
        f'\n[[digests]]\nname = "{every}"\nevery = "{every}"\nat = "{due:%H:%M}"\nweekday = "{day}"\nreceivers = ["mail"]\n'
        for every in ("day", "week")
    )
    world = make_world(engine, tmp_path, MAIL_AND_SLACK + lines, smtp_host="127.0.0.1", smtp_port=mail.port)
    assert counts(world.notify(due)) == {"written": 2, "sent": 2}
    world.raise_alert(at=due + timedelta(hours=1))
    awake = due + timedelta(
        days=9, hours=13
    )  # the week's fell due two days ago, the last day's thirteen hours ago
    assert counts(world.notify(awake)) == {"written": 2, "sent": 2}
    assert counts(world.notify(awake + timedelta(minutes=15))) == {}
    told = sorted((str(m["Subject"]), m.get_body(("plain",)).get_content()) for m in mail.mails[2:])
    assert [subject.partition(" to ")[0] for subject, _ in told] == ["9 days", "Week"]
    assert all("Critical: Nordbank" in text for _, text in told)
    [(start, end)] = world.run(
        "select payload ->> 'start', payload ->> 'end' from notifications where payload ->> 'name' = 'day' order by id desc limit 1"
    )
    assert (start, end) == (due.isoformat(), (due + timedelta(days=9)).isoformat())
    # switched off for months, it begins anew at its time
    assert counts(world.notify(due + timedelta(days=70, hours=13))) == {}
    assert counts(world.notify(due + timedelta(days=71))) == {"written": 1, "sent": 1}
    assert mail.mails[-1]["Subject"].startswith("Day to")


def test_a_digest_counts_alerts_that_it_has_no_room_for(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path, MAIL_AND_SLACK)
    for number in range(53):
        world.raise_alert(f"Company {number}", severity="critical" if number < 51 else "warning")
    with engine.connect() as connection:
        figures = notifications.digest_figures(connection, START, later(hours=1))
    assert len(figures["alerts"]) == 50
    assert {(row["all_alerts"], row["all_critical"]) for row in figures["alerts"]} == {(53, 51)}


def test_a_digest_counts_what_the_champion_before_has_read(engine: Engine) -> None:
    """Live counts stand under the model that was champion when they came, and a story is live once."""
    world = NewsWorld(engine)
    end = NEWS_NOW.replace(minute=0)
    start, switch = end - timedelta(days=1), end - timedelta(hours=1)
    read = [
        (world.story(at, "Acme", BAD, scored_at=at), at)
        for at in (end - timedelta(days=2, minutes=-15 * n) for n in range(1, 180, 4))
    ]
    build_windows(engine, as_of=switch)
    with engine.begin() as connection:
        new = models.register_model(connection, version="v2", path="nowhere", manifest={}, as_of=switch).id
        models.point_alias(connection, "v2", by="test", reason="better", as_of=switch)
        for story, _ in read:  # it reads the history, which was counted live under the one before
            said = StoryScore(story, BAD, {world.company["Acme"]: BAD}, {"markets": 0.9})
            scores.write_scores(connection, new, [said], {story: b"x" * 16}, switch)
    for minute in range(6):
        world.story(end - timedelta(minutes=30 + minute), "Acme", BAD, model=new, scored_at=end)
    build_windows(engine, as_of=end)
    with engine.connect() as connection:
        found = notifications.digest_figures(connection, start, end)["series"]
    [acme] = [row for row in found if row["title"] == "Acme"]
    before = sum(at < start for _, at in read)
    assert (acme["negative_before"], acme["stories_before"]) == (before, before)
    assert (acme["negative"], acme["stories"]) == (len(read) - before + 6,) * 2


def test_a_digest_begins_with_what_is_critical_and_leaves_out_tests_and_history(world: World) -> None:
    world.run(
        "update alerts set peak_score = 20 where id = :id", id=world.raise_alert("A", severity="warning")
    )
    world.raise_alert("B")
    world.run("update alerts set is_test = true where id = :id", id=world.raise_alert("C"))
    for title, backfilled in (("new", False), ("old", True)):
        world.run(
            "insert into stories (title, text, text_hash, first_seen_at, available_at, last_seen_at, backfilled)"
            " values (:title, :title, decode(md5(:title), 'hex'), :at, :at, :at, :backfilled)",
            title=title, at=START, backfilled=backfilled,
        )  # fmt: skip
    with world.engine.connect() as connection:
        figures = notifications.digest_figures(connection, START, later(hours=1))
    assert [(row["title"], row["all_alerts"]) for row in figures["alerts"]] == [("B", 2), ("A", 2)]
    assert figures["totals"]["stories"] == 1


def test_a_silence_says_that_it_ended_and_what_it_held_back(world: World, mail: MailSink) -> None:
    trial = world.raise_alert(at=START + timedelta(minutes=5))
    world.run(
        "update alerts set is_test = true, state = 'resolved', resolved_at = fired_at where id = :id",
        id=trial,
    )
    world.raise_alert(at=START + timedelta(minutes=10))
    world.raise_alert("Halvorsen", at=START + timedelta(minutes=10))  # under a silence of its own
    world.run("update alerts set silenced = true")
    world.run(
        "insert into silences (series_kind, series_key, starts_at, ends_at, created_by, reason, created_at)"
        " values ('company', 'Nordbank', :a, :b, 'm.keller', 'results day', :a)",
        a=START, b=later(hours=2),
    )  # fmt: skip
    assert counts(world.notify(later(hours=1))) == {}
    assert counts(world.notify(later(hours=2))) == {"written": 2, "sent": 2}
    assert counts(world.notify(later(hours=3))) == {}
    text = mail.mails[0].get_body(("plain",)).get_content()
    assert "The silence over Nordbank has ended" in text
    assert "Set by m.keller: results day. It lasted 2 h." in text
    assert "It held back 1 alert." in text
    assert "Nordbank: critical, still open, since" in text


def test_a_lifted_silence_says_so_once(world: World, mail: MailSink) -> None:
    alert = world.raise_alert(at=START + timedelta(minutes=10))
    world.run("update alerts set silenced = true where id = :id", id=alert)
    silence = (
        "insert into silences (series_kind, series_key, starts_at, ends_at, created_by, reason, created_at,"
        " cancelled_at) values ('company', 'Nordbank', :a, :b, 'm.keller', '', :a, :lifted) returning id"
    )
    [(mine,)] = world.run(silence, a=START, b=later(hours=48), lifted=None)
    [(to_come,)] = world.run(silence, a=later(hours=5), b=later(hours=6), lifted=None)
    world.run(silence, a=START, b=later(hours=3), lifted=later(minutes=5))  # as a silence was lifted before
    assert counts(world.notify(later(hours=1))) == {}
    with world.engine.begin() as connection:
        for silence_id in (mine, to_come):
            assert desk_alerts.lift_silence(connection, silence_id, who="sofia", as_of=later(hours=2))
        assert not desk_alerts.lift_silence(connection, mine, who="sofia", as_of=later(hours=3))
        assert desk_alerts.silences(connection, later(hours=2)) == []
    assert counts(world.notify(later(hours=2))) == {"written": 2, "sent": 2}
    assert counts(world.notify(later(hours=50))) == {}
    text = mail.mails[0].get_body(("plain",)).get_content()
    assert "It lasted 2 h." in text
    assert "It held back 1 alert." in text
    assert "Nordbank: critical, still open, since" in text


def test_operator_news_once_per_key(world: World, slack: SlackSink) -> None:
    def tell(key: str, receiver: str | None = "slack") -> int:
        with world.engine.begin() as connection:
            return notifications.tell_operator(
                connection, receiver, "A feed is gone", ["city-post"], key, START
            )

    assert [tell("feed:1"), tell("feed:1"), tell("feed:2"), tell("feed:3", None)] == [1, 0, 1, 0]
    assert counts(world.notify()) == {"sent": 2}
    assert "A feed is gone" in slack.text_of(slack.messages[0])


def test_health_of_receivers(world: World, mail: MailSink, slack: SlackSink) -> None:
    world.tell(world.raise_alert())
    mail.answer = lambda _: "451 try later"
    world.notify()
    with world.engine.connect() as connection:
        rows = {
            r["receiver"]: r for r in notifications.receiver_health(connection, START - timedelta(days=7))
        }
    assert (rows["mail"]["pending"], rows["mail"]["sent"]) == (1, 0)
    assert "451" in rows["mail"]["last_error"]
    assert (rows["slack"]["sent"], rows["slack"]["last_error"]) == (1, None)


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
