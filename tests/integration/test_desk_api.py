"""The JSON API: nothing of what came later in answers about the past, and no request that ends in a 5xx.

Hostile requests are made by schemathesis from the OpenAPI document.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import newsroom
import pytest
import schemathesis
from desk_market import change, client, fill, one, settings
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine

from pipeline.desk.app import create_app
from pipeline.desk.visitors import Visitor
from pipeline.store import desk_stories
from pipeline.store.desk_stories import StoryFilter

EXAMPLES = 10  # for each route, the same ones each time; raise it to search


def test_no_request_breaks_it(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    fill(engine, stories=300, days=10)
    own = settings(tmp_path_factory.mktemp("desk"))
    app = create_app(engine, own, user_provider=lambda: Visitor("fuzz", "operator"))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    routes = [result.ok() for result in schema.get_all_operations()]
    assert len(routes) >= 10
    statuses: dict[str, set[int]] = {}
    for route in routes:

        @hypothesis_settings(
            max_examples=EXAMPLES,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(case=route.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            status = case.call().status_code
            statuses.setdefault(case.path, set()).add(status)
            assert status < 500, (case.path, case.query, case.path_parameters)

        ask()
    assert all(statuses.values())
    assert any(200 in found for found in statuses.values())


def test_the_past_holds_nothing_of_what_came_later(engine: Engine, tmp_path: Path) -> None:
    """Hours and days that had not ended at `as_of` are left out, since their counts hold stories of the time after it."""
    fill(engine, stories=900, days=15)
    browser = client(engine, settings(tmp_path))
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
    as_of = (noon + timedelta(minutes=59)).isoformat().replace("+00:00", "Z")
    everything = one(engine, "select id from series where kind = 'all'")
    change(
        engine,
        "update alerts set pending_at = :at, fired_at = :fired, resolved_at = :over, state = 'resolved' where id = 1",
        at=noon,
        fired=noon + timedelta(minutes=30),
        over=noon + timedelta(hours=9),
    )
    change(
        engine,
        "update alerts set pending_at = :at, fired_at = :fired where id = 2",
        at=noon,
        fired=noon + timedelta(hours=1),
    )
    for range_, last, span in (("7d", noon - timedelta(hours=1), 1), ("30d", noon - timedelta(hours=36), 24)):
        chart = browser.get(f"/api/v1/series/{everything}/chart?range={range_}&as_of={as_of}").json()
        assert chart["at"][-1] == last.timestamp(), span
        assert [(alert["id"], alert["until"] - noon.timestamp()) for alert in chart["alerts"]] == [
            (1, 59 * 60)
        ]
    counted = "select sum(stories) from analytics.sentiment_hourly where kind = 'all' and start_at >= :since and start_at < :until"
    (found,) = browser.get(f"/api/v1/series?kind=all&as_of={as_of}").json()
    assert found["stories"] == one(engine, counted, since=noon - timedelta(hours=24), until=noon) > 0


def test_as_of_lists_stories_by_what_the_champion_of_then_said_of_them(engine: Engine) -> None:
    """Not by the topics, companies and sectors that another version found later."""
    then = newsroom.NOW
    champion = newsroom.add_model(engine, "champion")
    other = newsroom.add_model(engine, "other", champion=False)
    [article] = newsroom.add_articles(engine, newsroom.add_feed(engine), ["Kestrel falls\nText"])
    newsroom.score(engine, champion, article, (0.9, 0.05, 0.05), at=then - timedelta(hours=1))
    newsroom.score(engine, other, article, (0.1, 0.8, 0.1), topic="layoffs", at=then + timedelta(days=3))
    found = {
        model: newsroom.add_company(engine, f"found by {model}", ticker=f"T{model}")
        for model in (champion, other)
    }
    for model, company in found.items():
        change(engine, "update companies set sector = name where id = :c", c=company)
        change(
            engine,
            "insert into score_companies select story_id, model_version_id, :c, negative, neutral, positive, sentiment"
            " from scores where model_version_id = :m",
            c=company,
            m=model,
        )

    def listed(**filters: Any) -> int:
        wanted = StoryFilter(as_of=then, **filters)
        with engine.connect() as connection:
            return len(desk_stories.stories(connection, wanted, now=then, limit=10)[0])

    mine = {"topic": "markets", "company_id": found[champion], "sector": f"found by {champion}"}
    others = {"topic": "layoffs", "company_id": found[other], "sector": f"found by {other}"}
    assert [listed(**{name: value}) for name, value in mine.items()] == [1, 1, 1]
    assert [listed(**{name: value}) for name, value in others.items()] == [0, 0, 0]
    assert listed(topic="markets", company_id=found[champion]) == 1
    assert listed(topic="layoffs", company_id=found[champion]) == 0
