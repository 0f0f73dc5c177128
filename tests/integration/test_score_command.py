"""`undertow score` on a real queue with the starter."""

from __future__ import annotations

import json

import pytest
from test_score import add_stories, count
from typer.testing import CliRunner

from pipeline.cli import build_app
from pipeline.errors import UsageError


@pytest.fixture
def undertow(database_url, monkeypatch):
    monkeypatch.setenv("UNDERTOW_DATABASE_URL", database_url)
    app = build_app()
    return lambda *arguments: CliRunner().invoke(app, ["score", *arguments], catch_exceptions=False)


def test_the_backlog_is_drained_with_progress_and_scored_again_by_name(engine, undertow):
    add_stories(engine, ["Acme shares plunge after a profit warning", "Borel raises its dividend", " "])
    first = undertow("--backlog", "--json")
    report = json.loads(first.stdout)
    assert (report["scored"], report["apart"], report["still_waiting"]) == (2, 1, 0)
    assert report["stories_per_s"] > 0
    assert count(engine, "scores") == 2
    # the same version has dealt with all of them: a re-score finds nothing to do
    again = json.loads(undertow("--rescore", report["model"], "--days", "36500", "--json").stdout)
    assert (again["scored"], again["apart"]) == (0, 0)


def test_a_limit_leaves_the_rest_waiting(engine, undertow):
    add_stories(engine, ["Acme shares plunge", "Borel raises its dividend"])
    result = undertow("--limit", "1")
    assert "2 stories wait" in result.stderr
    assert "scoring: 1 of 1" in result.stderr
    assert "still waiting  1" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--order", "best"], "newest or oldest"), (["--rescore", "v0"], "no model 'v0'")]
)
def test_wrong_words_are_refused(undertow, arguments, said):
    with pytest.raises(UsageError, match=said):
        undertow(*arguments)
