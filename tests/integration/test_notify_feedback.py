"""Feedback: counted once, acted on, handed to the label queue; and the links that a mail really holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from notify_world import START, World, later, make_world, payload
from sqlalchemy.engine import Engine

from pipeline.errors import UsageError
from pipeline.notify.links import read_token
from pipeline.notify.message import alert_message
from pipeline.notify.view import Envelope
from pipeline.store import notifications
from pipeline.store.alerts import update_alert
from pipeline.store.feedback import Feedback, Recorded, feedback_by_rule, record_feedback

ALERTS = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[[routes]]
receivers = ["mail"]
"""


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path, ALERTS)


def story(world: World, title: str) -> int:
    """A story with one article, as ingest leaves it."""
    [[feed]] = world.run(
        "insert into feeds (name, url, added_at) values ('wire', 'https://w.example', :at)"
        " on conflict (name) do update set title = '' returning id",
        at=START,
    )
    [[story_id]] = world.run(
        "insert into stories (title, text, text_hash, first_seen_at, available_at, last_seen_at)"
        " values (:title, :title, decode(md5(:title), 'hex'), :at, :at, :at) returning id",
        title=title, at=START,
    )  # fmt: skip
    [[article]] = world.run(
        "insert into articles (feed_id, item_key, source, title, first_seen_at, event_at, available_at,"
        " content_hash, story_id) values (:feed, decode(md5(:title), 'hex'), 'wire', :title, :at, :at, :at,"
        " decode(md5(:title), 'hex'), :story) returning id",
        feed=feed, title=title, at=START, story=story_id,
    )  # fmt: skip
    world.run(
        "update stories set first_article_id = :article where id = :story", article=article, story=story_id
    )
    return int(story_id)


def alert_with(world: World, stories: list[int]) -> int:
    alert = world.raise_alert()
    evidence = {**payload(), "stories": [{**payload()["stories"][0], "story_id": s} for s in stories]}
    world.run(
        "update alerts set evidence = cast(:e as jsonb) where id = :id", e=json.dumps(evidence), id=alert
    )
    return alert


def say(world: World, alert: int, kind: str, by: str = "risk-desk", **more: Any) -> Recorded:
    with world.engine.begin() as connection:
        feedback = Feedback(alert, kind, by, "mail", **more)  # type: ignore[arg-type]
        return record_feedback(connection, feedback, START)


def test_the_same_thing_counts_once_for_a_person(world: World) -> None:
    alert = alert_with(world, [])
    assert say(world, alert, "useful") == Recorded(new=True, queued=0)
    assert say(world, alert, "useful") == Recorded(new=False, queued=0)
    assert say(world, alert, "useful", by="newsroom").new
    assert say(world, alert, "noise").new
    with world.engine.connect() as connection:
        [row] = feedback_by_rule(connection)
        assert (row["rule_version"], row["alerts"], row["useful"], row["noise"]) == ("1", 1, 2, 1)
    assert world.run("select kind from feedback order by id") == [("useful",), ("useful",), ("noise",)]
    assert world.run("select count(*) from alert_events where kind = 'feedback'") == [(3,)]
    assert world.run("select actor, action, target from audit_log order by id limit 1") == [
        ("risk-desk", "feedback:useful", f"alert:{alert}")
    ]


def test_the_first_to_acknowledge_has_it(world: World) -> None:
    alert = alert_with(world, [])
    say(world, alert, "acknowledge", by="m.keller")
    say(world, alert, "acknowledge", by="somebody else")
    assert world.run("select acknowledged_by, acknowledged_at from alerts") == [("m.keller", START)]
    assert world.run("select actor from alert_events where kind = 'acknowledge'") == [("m.keller",)]
    over = world.raise_alert("Halvorsen")
    world.run("update alerts set state = 'resolved' where id = :id", id=over)
    say(world, over, "acknowledge")
    assert world.run("select acknowledged_by from alerts where id = :id", id=over) == [(None,)]


def test_a_reopened_alert_is_taken_again_by_the_same_person(world: World) -> None:
    alert = alert_with(world, [])
    episode = {
        "severity": "critical", "fired_at": START, "last_crossed_at": START, "peak": 8.0, "resolved_at": None, "reopened": 0,
    }  # fmt: skip

    def becomes(state: str, **more: Any) -> list[tuple[Any, ...]]:
        """Who has it after detect wrote the alert's row."""
        memory = {**episode, "state": state, **more}
        with world.engine.begin() as connection:
            update_alert(connection, alert, json.loads(json.dumps(memory, default=str)), START)
        return list(world.run("select acknowledged_by from alerts"))

    assert say(world, alert, "acknowledge", by="m.keller").new
    assert not say(world, alert, "acknowledge", by="m.keller").new
    assert becomes("held") == [("m.keller",)]
    assert becomes("resolved", resolved_at=START) == [("m.keller",)]
    with world.engine.connect() as connection:
        assert feedback_by_rule(connection)[0]["acknowledged"] == 1
    assert world.run("select acknowledged_by, acknowledge_minutes from analytics.alerts") == [("m.keller", 0)]
    assert becomes("firing", reopened=1) == [(None,)]
    assert say(world, alert, "acknowledge", by="m.keller").new
    assert becomes("firing", reopened=1) == [("m.keller",)]
    assert world.run("select count(*) from feedback where kind = 'acknowledge'") == [(1,)]
    assert world.run("select actor from alert_events where kind = 'acknowledge'") == [("m.keller",)] * 2
    assert world.run("select count(*) from audit_log") == [(2,)]


def test_minutes_to_taking_a_reopened_alert_begin_when_it_reopened(world: World) -> None:
    alert = alert_with(world, [])
    world.tell(alert, "reopen", at=later(minutes=-5), deliveries=[])
    world.run("update alerts set fired_at = :at", at=later(hours=-9))
    say(world, alert, "acknowledge")
    assert world.run("select acknowledge_minutes from analytics.alerts") == [(5,)]


def test_a_story_that_is_pointed_at_is_labelled_first(world: World) -> None:
    pointed, others = story(world, "pointed at"), [story(world, f"other {n}") for n in range(5)]
    alert = alert_with(world, others)
    assert say(world, alert, "noise").queued == 3
    assert say(world, alert, "wrong_sentiment", story_id=pointed).queued == 1
    assert say(world, alert, "duplicate", story_id=others[0]).queued == 0
    queue = world.run(
        "select s.title, q.reason from label_queue q join stories s on s.first_article_id = q.article_id"
        " order by q.priority desc"
    )
    assert queue == [
        ("pointed at", "alert"),
        ("other 0", "alert"),
        ("other 1", "alert"),
        ("other 2", "alert"),
    ]


def test_a_hint_outranks_the_models_doubt_but_reopens_nothing(world: World) -> None:
    first, second = story(world, "doubted"), story(world, "labelled")
    alert = alert_with(world, [])
    world.run(
        "insert into label_queue (article_id, reason, priority, queued_at, done_at)"
        " select first_article_id, 'uncertain', 0.9, :at, case when id = :done then cast(:at as timestamptz) end"
        " from stories", at=START, done=second,
    )  # fmt: skip
    assert say(world, alert, "wrong_company", story_id=first).queued == 1
    assert say(world, alert, "wrong_company", story_id=second).queued == 0
    rows = world.run("select reason, priority > 2, done_at is null from label_queue order by article_id")
    assert rows == [("alert", True, True), ("uncertain", False, False)]


def test_what_is_kept_for_evaluation_is_never_queued(world: World) -> None:
    kept = story(world, "kept")
    world.run("insert into frozen_articles select first_article_id, 'gold', :at from stories", at=START)
    assert say(world, alert_with(world, [kept]), "wrong_sentiment", story_id=kept).queued == 0
    assert world.run("select * from label_queue") == []


def test_feedback_on_a_companys_story_is_about_the_company(world: World) -> None:
    about = story(world, "about")
    alert = alert_with(world, [about])
    [[company]] = world.run(
        "insert into companies (name, added_at) values ('Nordbank', :at) returning id", at=START
    )
    world.run("update series set company_id = :id", id=company)
    say(world, alert, "wrong_company", story_id=about)
    say(world, alert, "useful")
    assert world.run("select kind, company_id from feedback order by id") == [
        ("wrong_company", company),
        ("useful", None),
    ]


def test_an_alert_or_story_that_is_gone_is_said(world: World) -> None:
    with pytest.raises(UsageError, match="gone"):
        say(world, 999, "useful")
    with pytest.raises(UsageError, match="gone"):
        say(world, alert_with(world, []), "wrong_sentiment", story_id=999)


def test_every_link_of_a_mail_can_be_said(world: World) -> None:
    about = story(world, "about")
    alert = alert_with(world, [about])
    evidence = {**payload(), "stories": [{**payload()["stories"][0], "story_id": about}]}
    world.tell(alert, evidence=evidence)
    senders = world.senders
    with world.engine.begin() as connection:
        claim = notifications.claim(connection, "mail", START)
    assert claim is not None
    assert claim.alert is not None
    zone = senders.routing.receivers["mail"].zone
    envelope = Envelope(claim.message_key, "open", "mail", zone, START, START)
    html = alert_message(envelope, evidence, claim.alert, senders.links).html
    tokens = set(re.findall(r"/feedback/([\w.-]+)", html))
    said = [read_token(token, senders.links.key, later(days=1)) for token in tokens]
    assert sorted(i.kind for i in said) == [
        "acknowledge", "duplicate", "noise", "useful", "wrong_company", "wrong_sentiment",
    ]  # fmt: skip
    for invitation in said:
        assert say(world, invitation.alert_id, invitation.kind, story_id=invitation.story_id).new
