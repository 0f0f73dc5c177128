"""Words are found for the stories of unsent alerts, once; an alert never waits for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import detect_world
import pytest
import sqlalchemy as sa
from notify_sinks import MailSink
from notify_world import START, World, later, make_world, payload
from sqlalchemy.engine import Engine

from pipeline.detect.rules import parse_rules
from pipeline.detect.step import detect
from pipeline.notify import explain
from pipeline.store import models, words

MAIL = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[[routes]]
receivers = ["mail"]
"""


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
    def read(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, float]]:
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


def test_a_company_is_asked_about_at_every_place_of_the_text_read(
    engine: Engine, world: World, model_id: int
) -> None:
    first = payload()["stories"][0]
    title = "Nordbank shares rise; regulator fines NRDB " + "x" * explain.MOST_CHARS
    store_story(engine, first["story_id"], title)
    alert_id = world.raise_alert()
    world.run(
        "insert into feeds (name, url, title, origin, added_at) values ('f', 'f', 'f', 'file', :at)", at=START
    )
    world.run("insert into companies (name, added_at) values ('Nordbank', :at)", at=START)
    world.run("update series set company_id = (select max(id) from companies)")
    world.run(
        "with article as (insert into articles (feed_id, item_key, source, title, date_status, first_seen_at, event_at,"
        " available_at, content_hash, story_id, story_match) select max(id), 'k', 's', 't', 'ok', :at, :at, :at, '',"
        " :story, 'first' from feeds returning id), told as (insert into mentions (article_id, company_id, relevance,"
        " in_title, hits, spans) select article.id, companies.id, 1, true, 3, '[[0, 8], [38, 42], [500, 504]]' from article, companies)"
        " update stories set first_article_id = article.id from article",
        at=START,
        story=first["story_id"],
    )
    world.tell(alert_id)
    asked: list[Sequence[tuple[int, int]]] = []

    def read(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, float]]:
        asked.append(spans)
        return []

    assert explain.explain_waiting(engine, model_id, lambda: read, START) == 1
    assert asked == [[(0, 8), (38, 42)]]


def test_a_sector_shows_and_explains_the_verdict_on_its_worst_hit_company(engine: Engine) -> None:
    """Good news of a rival is bad for two banks: the sector's alert says how bad it is for the banks."""
    newsroom, at = detect_world.World(engine), detect_world.NOW
    newsroom.archive_days(15)
    good, unsure = (detect_world.Probabilities(*p) for p in ((0.03, 0.07, 0.9), (0.45, 0.4, 0.15)))
    worse, better = newsroom.company["Cedar Bank"], newsroom.company["Birch Bank"]
    with engine.begin() as c:
        for n in range(9):
            story = newsroom._story(c, at, None, good, title=f"Rival wins, Birch and Cedar fall {n}")
            c.execute(
                sa.text(
                    "insert into score_companies (story_id, model_version_id, company_id, negative, neutral, positive,"
                    " sentiment) values (:s, :m, :c, :n, 0.98 - :n, 0.02, 'negative')"
                ),
                [
                    {"s": story, "m": newsroom.model, "c": id, "n": n}
                    for id, n in ((worse, 0.97), (better, 0.6))
                ],
            )
        for n in range(2):
            newsroom._story(c, at, "Dogwood Bank", unsure, title=f"Dogwood so-so {n}")
    detect(engine, parse_rules(detect_world.ROUTES), as_of=at)
    [told] = newsroom.rows(
        "select a.id, n.payload from notifications n join alerts a on a.id = n.alert_id"
        " join series s on s.id = a.series_id where s.kind = 'sector' and s.key = 'banks'"
    )
    shown = told["payload"]["stories"]
    assert {story["title"][:5] for story in shown} == {"Rival"}
    assert min(story["probability"] for story in shown) >= 0.9
    with engine.begin() as c:
        asked = {story.story_id: story for story in words.wanted(c, newsroom.model, 5, 50)}
        first = asked[shown[0]["story_id"]]
        assert first.company_id == worse
        words.save(c, first, newsroom.model, ["fall"], at)
        assert first.story_id not in {story.story_id for story in words.wanted(c, newsroom.model, 5, 50)}
        assert words.of_alert(c, told["id"]) == {first.story_id: ["fall"]}
