"""A switch of the champion: it fires no alert by itself, and no later row changes an answer about the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from newsroom import add_feed, add_model

from pipeline.detect.rules import load_rules
from pipeline.detect.step import build_baselines, build_windows, detect
from pipeline.store import desk_stories, models

SWITCH = datetime(2026, 5, 4, 12, tzinfo=UTC)
FIRST = SWITCH - timedelta(days=28)

STORIES = """
with made as (
  insert into articles (feed_id, item_key, source, title, language, first_seen_at, event_at, available_at, content_hash)
  select :feed, decode(md5(cast(:start as text) || n), 'hex'), 'Wire', 'Story ' || n, 'en', at, at, at, decode(md5('' || n), 'hex')
  from generate_series(1, :count) as n, lateral (select cast(:start as timestamptz) + n * interval '15 minutes' as at) as t
  returning id, title, available_at, content_hash
), told as (
  insert into stories (first_article_id, title, text, text_hash, language, first_seen_at, available_at, last_seen_at)
  select id, title, title, content_hash, 'en', available_at, available_at, available_at from made
  returning id, first_article_id
)
select count(*) from told
"""
SCORES = """
insert into scores (story_id, model_version_id, scored_at, negative, neutral, positive, sentiment, text_hash)
select id, :model, :at, case when bad then 0.9 else 0.05 end, case when bad then 0.05 else 0.9 end, 0.05,
       case when bad then 'negative' else 'neutral' end, text_hash
from stories, lateral (select ('x' || substr(md5(:model || ':' || id), 1, 6))::bit(24)::int < :share * 16777216 as bad) as verdict
where available_at > :start and available_at <= :end
"""


def run_sql(engine, query, **values):
    with engine.begin() as connection:
        return connection.execute(sa.text(query), values)


def read_by(engine, model, share, start, end, at):
    """The model reads the stories of (start, end] and finds this share of them negative."""
    run_sql(engine, SCORES, model=model, share=share, start=start, end=end, at=at)


@pytest.fixture
def rules(project_root):
    return load_rules(project_root / "alerts.toml")


@pytest.fixture
def switched(engine, rules):
    """Four weeks of a story each quarter of an hour under a mild champion; then a grim one takes over."""
    feed = add_feed(engine, origin="import")
    mild, grim = add_model(engine, "mild", at=FIRST), add_model(engine, "grim", at=FIRST, champion=False)
    run_sql(engine, STORIES, feed=feed, start=FIRST, count=28 * 96 + 48)
    read_by(engine, mild, 0.2, FIRST, SWITCH, SWITCH - timedelta(minutes=5))
    run_sql(
        engine,
        "insert into ticks (tick_at, evaluated_at, model_version_id, rule_version, market_factor, coverage)"
        " values (:at, :at, :model, 'test', 1, 1)",
        at=SWITCH,
        model=mild,
    )
    build_baselines(engine, rules, as_of=SWITCH)

    def switch(rehearsed: bool) -> None:
        if rehearsed:
            read_by(engine, grim, 0.6, FIRST, SWITCH, SWITCH)
            build_windows(engine, as_of=SWITCH)
        with engine.begin() as connection:
            models.point_alias(connection, "grim", by="test", reason="better", as_of=SWITCH)
        evening = SWITCH + timedelta(hours=12)
        read_by(engine, grim, 0.6, SWITCH, evening, evening)
        detect(engine, rules, as_of=evening)

    return switch


def fired(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(
            sa.text("select count(*) from alerts where fired_at is not null")
        ).scalar_one()


def test_no_alert_fires_because_of_a_rehearsed_switch(engine, switched):
    switched(rehearsed=True)
    assert fired(engine) == 0


def test_without_the_rehearsal_the_step_would_have_fired(engine, switched):
    switched(rehearsed=False)
    assert fired(engine) > 0


def test_the_desk_shows_of_the_past_what_the_champion_of_then_said(engine):
    """Neither a challenger's rehearsal, nor the version before reading on, nor the champion of today speaks there."""
    feed = add_feed(engine, origin="import")
    ids = {name: add_model(engine, name, at=FIRST, champion=False) for name in ("a", "b", "refused", "next")}
    run_sql(engine, STORIES, feed=feed, start=FIRST, count=8)
    story_hours = FIRST + timedelta(hours=2)
    moments = {"a": FIRST, "b": FIRST + timedelta(hours=5), "next": FIRST + timedelta(days=9)}
    for version, at in moments.items():
        with engine.begin() as connection:
            models.point_alias(connection, version, by="test", reason="", as_of=at)
    said = {"a": (1, 3), "refused": (0, 4), "b": (0, 6), "next": (0, 240)}
    for version, (share, hours) in said.items():
        read_by(engine, ids[version], share, FIRST, story_hours, FIRST + timedelta(hours=hours))
    run_sql(engine, "delete from scores where model_version_id = :b and story_id % 2 = 0", b=ids["b"])
    run_sql(
        engine,
        "insert into series (kind, key, title, created_at) values ('all', 'all', 'All', :at)",
        at=FIRST,
    )
    known = "select coalesce(sum(negative), 0), coalesce(sum(neutral), 0) from analytics.sentiment_asof(:t)"
    for hours, expected in ((2.5, (0, 0)), (3.5, (8, 0)), (4.5, (8, 0)), (5.5, (8, 0)), (6.5, (4, 4))):
        moment = FIRST + timedelta(hours=hours)
        with engine.connect() as connection:
            wanted = desk_stories.StoryFilter(as_of=moment)
            rows, _ = desk_stories.stories(connection, wanted, now=moment, limit=20)
            shown = [row["sentiment"] for row in rows]
            assert tuple(connection.execute(sa.text(known), {"t": moment}).one()) == expected
        assert len(shown) == 8
        assert (shown.count("negative"), shown.count("neutral")) == expected, f"{hours} h after the first"


MOMENTS = st.integers(0, 60 * 24).map(lambda minutes: FIRST + timedelta(minutes=minutes))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    asked=MOMENTS,
    before=st.lists(st.tuples(MOMENTS, st.sampled_from(["m0", "m1", "m2"])), max_size=5),
    later=st.lists(
        st.tuples(st.integers(1, 10_000), st.sampled_from(["m0", "m1", "m2"])), min_size=1, max_size=5
    ),
)
def test_no_later_row_changes_what_is_said_of_the_past(engine, asked, before, later):
    run_sql(
        engine,
        "truncate stories, articles, feeds, model_alias_events, model_versions, series restart identity cascade",
    )
    feed = add_feed(engine, origin="import")
    ids = {
        name: add_model(engine, name, at=FIRST - timedelta(days=1), champion=name == "m0")
        for name in ("m0", "m1", "m2")
    }
    run_sql(
        engine,
        "insert into series (kind, key, title, created_at) values ('all', 'all', 'Everything', :at)",
        at=FIRST,
    )
    run_sql(engine, STORIES, feed=feed, start=FIRST - timedelta(hours=6), count=40)
    read_by(engine, ids["m0"], 0.3, FIRST - timedelta(days=1), asked, asked - timedelta(seconds=1))
    with engine.begin() as connection:
        for moment, version in sorted(before):
            if moment <= asked:
                models.point_alias(connection, version, by="test", reason="", as_of=moment)

    def answers() -> tuple[object, ...]:
        with engine.connect() as connection:
            champion = connection.execute(
                sa.text("select analytics.champion_at(:t)"), {"t": asked}
            ).scalar_one()
            query = "select * from analytics.sentiment_asof(:t, 'all', 'all', :since)"
            known = connection.execute(sa.text(query), {"t": asked, "since": asked - timedelta(days=1)}).all()
            found = models.champion(connection, as_of=asked)
        assert found is not None
        assert found.version == champion
        return (champion, *map(tuple, known))

    first = answers()
    for minutes, version in later:
        moment = asked + timedelta(minutes=minutes)
        with engine.begin() as connection:
            models.point_alias(connection, version, by="test", reason="later", as_of=moment)
        if version != "m0":
            with engine.begin() as connection:
                connection.execute(
                    sa.text("delete from scores where model_version_id = :id"), {"id": ids[version]}
                )
            read_by(engine, ids[version], 0.8, FIRST - timedelta(days=1), moment, moment)
    assert answers() == first
