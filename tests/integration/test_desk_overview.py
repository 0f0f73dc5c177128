"""What the overview picks when there is more than it shows: alerts that fire before those that are watched, the worst stories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import newsroom
import pytest
import sqlalchemy as sa
from desk_market import change, client, fill, one, settings
from fastapi.testclient import TestClient
from lxml import html
from sqlalchemy import Engine

from pipeline.store import desk_series

OPEN = (
    "insert into alerts (series_id, state, severity, pending_at, fired_at, last_crossed_at, last_evaluated_at, peak_score,"
    " rule_version, is_test) select id, :state, 'critical', now(), now(), now(), now(), 9, 'r', :test from series"
    " where not exists (select from alerts where series_id = series.id and state <> 'resolved') order by id limit :n"
)


@pytest.fixture
def market(engine: Engine) -> Engine:
    fill(engine, stories=3000, days=12)
    return engine


@pytest.fixture
def browser(market: Engine, tmp_path: Path) -> TestClient:
    return client(market, settings(tmp_path))


def cards(browser: TestClient) -> list[int]:
    """Ids of the alerts on the overview, in its order."""
    page = html.fromstring(browser.get("/").text)
    links = page.xpath("//article[contains(@class, 'alert-card')]//a[@class='title']/@href")
    return [int(link.rpartition("/")[2]) for link in links]


def test_what_fires_is_shown_however_much_is_watched(market: Engine, browser: TestClient) -> None:
    change(market, OPEN, state="firing", test=False, n=2)
    found = one(
        market, "select array_agg(id order by fired_at desc, id desc) from alerts where state = 'firing'"
    )
    assert len(found) == 4
    change(market, OPEN, state="pending", test=False, n=14)
    assert one(market, "select count(*) from alerts where state = 'pending'") == 14
    assert cards(browser) == found
    # the newest is the mildest; one is folded into another; a test is newer than all
    warning, carrier, folded, oldest = found
    change(market, "update alerts set severity = 'warning' where id = :a", a=warning)
    fold = "update alerts set inhibited_by = :c, told = false, fired_at = now() where id = :a"
    change(market, fold, c=carrier, a=folded)
    change(market, OPEN, state="firing", test=True, n=1)
    test = one(market, "select max(id) from alerts")
    assert cards(browser) == [carrier, oldest, warning, folded, test]
    change(market, "update alerts set state = 'resolved', resolved_at = now() where state = 'firing'")
    text = browser.get("/parts/overview").text
    assert "Nothing fires. 14 series crossed once and are watched." in text


def test_worst_stories_are_those_of_the_whole_day(market: Engine, browser: TestClient) -> None:
    now = datetime.now(UTC)
    with market.connect() as connection:
        day = (
            connection.execute(
                sa.text(
                    "select story.id from stories as story join scores as score on score.story_id = story.id"
                    " where story.available_at >= :since order by story.available_at desc, story.id desc"
                ),
                {"since": now - timedelta(hours=23)},
            )
            .scalars()
            .all()
        )
    assert len(day) > 100, "more than a page of the newest"
    change(
        market,
        "update scores set sentiment = 'negative', negative = 0.6, neutral = 0.3, positive = 0.1"
        " where story_id = any(:ids)",
        ids=day,
    )
    change(market, "update stories set sources = 1 where id = any(:ids)", ids=day)
    wide, sure, good, past = day[-1], day[-2], day[-3], day[-4]
    change(market, "update stories set sources = 40 where id = :a", a=wide)
    change(market, "update stories set sources = 50 where id = :a", a=good)
    change(market, "update scores set sentiment = 'positive' where story_id = :a", a=good)
    change(
        market,
        "update scores set negative = 0.9, neutral = 0.05, positive = 0.05 where story_id = :a",
        a=sure,
    )
    change(
        market,
        "update stories set sources = 60, available_at = :then where id = :a",
        a=past,
        then=now - timedelta(hours=25),
    )
    page = html.fromstring(browser.get("/").text)
    links = page.xpath("//section[h2[contains(., 'Worst and widest')]]//a[@class='title']/@href")
    shown = [int(link.rpartition("/")[2]) for link in links]
    assert shown[:2] == [wide, sure]
    assert len(shown) == 8
    assert not {good, past} & set(shown)


def test_usual_number_of_stories_is_that_of_the_days_there_are(engine: Engine) -> None:
    """In its first week the line has fewer than seven days before: divided by seven, every day looked like a surge."""
    newsroom.add_model(engine, "m1", at=datetime(2026, 1, 1, tzinfo=UTC))
    midnight = datetime(2026, 5, 4, tzinfo=UTC)
    change(
        engine, "insert into series (kind, key, title, created_at) values ('all', 'all', 'Everything', now())"
    )
    for days_ago in (3, 2, 1):
        for minutes in (60, 1440):
            change(
                engine,
                "insert into sentiment_rollups (span_minutes, series_id, model_version_id, start_at, negative, neutral, positive,"
                " score_sum, score_squares) select :minutes, series.id, version.id, :at, 5, 5, 0, 0, 0"
                " from series, model_versions as version",
                minutes=minutes,
                at=midnight - timedelta(days=days_ago),
            )
    with engine.connect() as connection:
        usual = [
            desk_series.series_summary(connection, ["all"], midnight - timedelta(hours=hours))[0][
                "usual_stories"
            ]
            for hours in (0, 24, 36)
        ]
    assert usual == [10, 10, None]  # of two days, of one, of half a day
