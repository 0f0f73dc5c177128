"""Hostile requests to the JSON API: schemathesis makes them from the OpenAPI document; none may end in a 5xx."""

from __future__ import annotations

import pytest
import schemathesis
from desk_market import fill, settings
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine

from pipeline.desk.app import create_app
from pipeline.desk.visitors import Visitor

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
