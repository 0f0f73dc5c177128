"""What an alert that is no news is put down to: a new feed, another model, a backlog, one source, or everybody's bad day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.detect.alerts import Circumstances, may_tell
from pipeline.detect.evidence import Around, name_cause

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
AROUND = Around(
    market=False,
    promoted=False,
    learning_since=NOW - timedelta(days=14),
    oldest_feed_at=NOW - timedelta(days=200),
    lone_feed=False,
)


def story(n: int, **changes: Any) -> dict[str, Any]:
    told = {
        "story_id": n,
        "sentiment": "negative",
        "source": f"Source {n}",
        "sources": 1,
        "feed_id": n,
        "feed_added_at": NOW - timedelta(days=200),
        "first_seen_at": NOW - timedelta(minutes=7 * n),
        "date_status": "ok",
        "published_at": NOW,
    }
    return {**told, **changes}


def test_news_has_no_other_cause() -> None:
    assert name_cause([story(n) for n in range(6)], AROUND) is None
    assert name_cause([], AROUND) is None


@pytest.mark.parametrize(("new", "named"), [(3, None), (4, "new_feed"), (6, "new_feed")])
def test_a_new_feed_is_named_where_most_comes_from_it(new: int, named: str | None) -> None:
    yesterday = NOW - timedelta(days=1)
    stories = [story(n, feed_added_at=yesterday if n < new else AROUND.oldest_feed_at) for n in range(6)]
    assert name_cause(stories, AROUND) == named


def test_where_every_feed_is_new_none_is_to_blame() -> None:
    yesterday = NOW - timedelta(days=1)
    stories = [story(n, feed_added_at=yesterday) for n in range(6)]
    assert name_cause(stories, replace(AROUND, oldest_feed_at=yesterday)) is None


def test_stories_of_one_fetch_that_are_dated_by_the_day_are_no_backlog() -> None:
    fetch: dict[str, Any] = {"feed_id": 1, "first_seen_at": NOW, "date_status": "date_only"}
    assert name_cause([story(n, **fetch) for n in range(4)] + [story(9)], AROUND) is None
    bare = {**fetch, "published_at": None}
    assert name_cause([story(n, **bare) for n in range(4)] + [story(9)], AROUND) == "backfill"


def test_undated_stories_of_one_fetch_are_a_backlog() -> None:
    fetch: dict[str, Any] = {
        "feed_id": 1,
        "first_seen_at": NOW,
        "date_status": "missing",
        "published_at": None,
    }
    assert name_cause([story(n, **fetch) for n in range(4)] + [story(9)], AROUND) == "backfill"
    assert (
        name_cause([story(n, **fetch) for n in range(2)] + [story(9)], AROUND) is None
    )  # two are no backlog
    dated = {**fetch, "date_status": "ok"}
    assert name_cause([story(n, **dated) for n in range(4)] + [story(9)], AROUND) is None


def test_one_source_alone_is_named_unless_there_is_no_other() -> None:
    stories = [story(n, source="City Post") for n in range(4)]
    assert name_cause([*stories, story(9, sentiment="neutral")], AROUND) == "one_source"
    assert name_cause([*stories, story(9)], AROUND) is None
    assert name_cause(stories, replace(AROUND, lone_feed=True)) is None


def test_what_one_wire_had_first_and_others_told_too_is_no_matter_of_one_source() -> None:
    carried = [story(n, source="City Wire", sources=3) for n in range(5)]
    assert name_cause(carried, AROUND) is None
    alone = [story(n, source="City Wire") for n in range(4)]
    assert name_cause([*alone, carried[0]], AROUND) is None
    assert name_cause(alone, AROUND) == "one_source"


def test_the_market_and_a_promotion_come_first() -> None:
    stories = [story(n, source="City Post") for n in range(4)]
    assert name_cause(stories, replace(AROUND, promoted=True)) == "model_promotion"
    assert name_cause(stories, replace(AROUND, promoted=True, market=True)) == "market_wide"


def test_a_named_cause_holds_back_a_warning_and_no_critical_alert() -> None:
    for cause in ("new_feed", "model_promotion", "backfill", "one_source"):
        assert not may_tell("warning", Circumstances(cause=cause))  # type: ignore[arg-type]
        assert may_tell("critical", Circumstances(cause=cause))  # type: ignore[arg-type]
    assert may_tell("warning", Circumstances(cause="market_wide"))
