"""What notify tells besides alerts: digests, ends of silences, news for the operator."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from detect_world import BAD
from detect_world import NOW as NEWS_NOW
from detect_world import World as NewsWorld
from notify_sinks import MailSink, SlackSink
from notify_world import (
    MAIL_AND_SLACK,
    START,
    World,
    counts,
    later,
    mail_and_slack_world,
    make_world,
)
from sqlalchemy.engine import Engine

from pipeline.detect.step import build_windows
from pipeline.store import desk_alerts, models, notifications, scores
from pipeline.types import StoryScore


@pytest.fixture
def world(engine: Engine, tmp_path: Path, mail: MailSink, slack: SlackSink) -> World:
    return mail_and_slack_world(engine, tmp_path, mail, slack)


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
