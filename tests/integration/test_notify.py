"""The outbox against a real mail server and a Slack-shaped one: in order, once, and one dead receiver harms no other."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

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

from pipeline.notify import step
from pipeline.store import notifications


@pytest.fixture
def world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    return mail_and_slack_world(engine, tmp_path, mail, slack)


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
