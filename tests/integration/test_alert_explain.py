"""Words are found for the stories of unsent alerts, once; an alert never waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from notify_sinks import MailSink
from notify_world import START, World, later, make_world, payload
from sqlalchemy.engine import Engine

from pipeline.notify import explain
from pipeline.store import models

MAIL = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[[routes]]
receivers = ["mail"]
"""


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def world(engine: Engine, tmp_path: Path, mail: MailSink) -> World:
    return make_world(engine, tmp_path, MAIL, smtp_host="127.0.0.1", smtp_port=mail.port)


@pytest.fixture
def model_id(engine: Engine) -> int:
    with engine.begin() as connection:
        return models.register_model(connection, version="v1", path="nowhere", manifest={}, as_of=START).id


def store_story(engine: Engine, story_id: int, text: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into stories (id, title, text, text_hash, language, first_seen_at, available_at, last_seen_at)"
                " overriding system value values (:id, :text, :text, decode(md5(:text), 'hex'), 'en', :at, :at, :at)"
            ),
            {"id": story_id, "text": text, "at": START},
        )


def reader(asked: list[str]) -> Callable[[], explain.Explain]:
    def read(text: str, company: str | None) -> list[tuple[str, float]]:
        asked.append(text)
        return [(word, -0.5 if word == "probe" else 0.01) for word in text.split()]

    return lambda: read


def test_words_are_found_once_and_told(engine: Engine, world: World, mail: MailSink, model_id: int) -> None:
    asked: list[str] = []
    first = payload()["stories"][0]
    store_story(engine, first["story_id"], first["title"] + " probe")
    world.tell(world.raise_alert())
    assert explain.explain_waiting(engine, model_id, reader(asked), START) == 1
    assert explain.explain_waiting(engine, model_id, reader(asked), later(minutes=1)) == 0
    assert asked == [first["title"] + " probe"]
    world.notify()
    body = mail.mails[0].get_body(("plain",))
    assert body is not None
    assert "words that weighed: probe" in body.get_content()


def test_an_alert_goes_out_without_words_when_the_model_fails(
    engine: Engine, world: World, mail: MailSink, model_id: int
) -> None:
    first = payload()["stories"][0]
    store_story(engine, first["story_id"], first["title"])
    world.tell(world.raise_alert())

    def broken() -> explain.Explain:
        raise RuntimeError("no such model")

    assert explain.try_to_explain(engine, model_id, broken, START) == 0
    world.notify()
    assert len(mail.mails) == 1


def test_nothing_is_loaded_when_no_alert_waits(engine: Engine, model_id: int) -> None:
    def never() -> explain.Explain:
        raise AssertionError("loaded for nothing")

    assert explain.explain_waiting(engine, model_id, never, START) == 0
