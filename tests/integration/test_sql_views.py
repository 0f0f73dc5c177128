"""The analysts' schema: every question runs, every column has its unit, the reader can only read, the past stays put."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.store import desk_stories

ROOT = Path(__file__).resolve().parents[2]
QUERIES = sorted((ROOT / "sql" / "queries").glob("*.sql"))
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def market(module_engine: Engine) -> Engine:
    """A small made-up market of 40 days."""
    generate = runpy.run_path(str(ROOT / "bench" / "market.py"))["generate"]
    raw = module_engine.raw_connection()
    generate(raw, stories=5000, days=40, companies=30, now=NOW)
    raw.close()
    return module_engine


@pytest.fixture
def reader(market: Engine) -> Iterator[sa.Connection]:
    with market.connect() as connection:
        connection.execute(sa.text("set role undertow_reader"))
        connection.execute(sa.text("set search_path = analytics"))
        yield connection
        connection.rollback()
        connection.execute(sa.text("reset role"))
        connection.execute(sa.text("reset search_path"))


def one(connection: sa.Connection, query: str, **parameters: object) -> object:
    return connection.execute(sa.text(query), parameters).scalar()


# What the made market does not bring about, so that these questions rightly have no answer in it.
EMPTY = {"18_waiting_now"}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_question_runs_and_finds_something(reader: sa.Connection, path: Path) -> None:
    rows = reader.exec_driver_sql(path.read_text().replace("%", "%%")).fetchall()
    assert rows or path.stem in EMPTY


def test_readme_lists_every_question_and_view(market: Engine) -> None:
    readme = (ROOT / "sql" / "README.md").read_text()
    assert len(QUERIES) == 25
    for path in QUERIES:
        question = path.read_text().splitlines()[0].removeprefix("-- ")
        assert f"| {question} | [{path.name}](queries/{path.name}) |" in readme
    for view in sa.inspect(market).get_view_names(schema="analytics"):
        assert f"`{view}`" in readme, view


def test_every_table_view_and_column_has_a_comment(market: Engine) -> None:
    query = """
        select format('%s.%s%s', n.nspname, c.relname, '.' || a.attname) from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'analytics')
        cross join lateral (
          select null::name as attname, 0 as attnum
          union all select attname, attnum from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) a
        where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition and c.relname <> 'alembic_version'
          and case a.attnum when 0 then obj_description(c.oid, 'pg_class') else col_description(c.oid, a.attnum) end is null
    """
    with market.connect() as connection:
        assert connection.execute(sa.text(query)).scalars().all() == []
        functions = connection.execute(
            sa.text(
                "select proname from pg_proc where pronamespace in ('analytics'::regnamespace, 'public'::regnamespace)"
                " and obj_description(oid, 'pg_proc') is null"
            )
        )
        assert functions.scalars().all() == []


def test_who_refers_to_a_story_is_found_by_an_index(market: Engine) -> None:
    """Copies give their stories back while others wait, and each reference is looked for then."""
    query = """
        select conrelid::regclass::text from pg_constraint as reference
        where contype = 'f' and confrelid = 'stories'::regclass and conparentid = 0 and not exists (
          select from pg_index where indrelid = conrelid and indkey[0] = conkey[1])
    """
    with market.connect() as connection:
        assert connection.execute(sa.text(query)).scalars().all() == []


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.stories",
        "select * from public.users",
        "select password_hash from users",
        "create table analytics.mine (a integer)",
        "update analytics.series set title = 'x'",
        "select public.rebuild_sentiment_rollups(now())",
        "select pg_read_file('/etc/passwd')",
    ],
)
def test_reader_can_only_read(reader: sa.Connection, statement: str) -> None:
    with pytest.raises(DBAPIError):
        reader.execute(sa.text(statement))


def test_reader_role_is_bounded(market: Engine) -> None:
    with market.connect() as connection:
        settings = one(
            connection,
            "select array_to_string(setconfig, ' ') from pg_db_role_setting join pg_roles r on r.oid = setrole"
            " where rolname = 'undertow_reader' and setdatabase = 0",
        )
        assert "statement_timeout=30s" in str(settings)
        assert "default_transaction_read_only=on" in str(settings)


def test_new_views_are_readable_at_once(market: Engine) -> None:
    with market.connect() as connection:
        connection.execute(sa.text("create view analytics.later as select 1 as one"))
        connection.execute(sa.text("set local role undertow_reader"))
        assert one(connection, "select one from analytics.later") == 1
        connection.rollback()


def test_daily_counts_add_up_to_scored_stories(reader: sa.Connection) -> None:
    counted = one(reader, "select sum(stories) from sentiment_daily where kind = 'all'")
    assert counted == one(reader, "select count(*) from scored_stories where sentiment is not null")
    hourly = one(reader, "select sum(negative) from sentiment_hourly where kind = 'company'")
    assert hourly == one(reader, "select sum(negative) from sentiment_15min where kind = 'company'")


def test_only_a_story_without_a_verdict_says_why_it_has_none(market: Engine) -> None:
    """A version beside the champion may leave alone what the champion has read."""
    scored, unscored = "sentiment is not null", "sentiment is null and unscored_reason = 'language'"
    with market.connect() as connection:
        connection.execute(
            sa.text(
                "insert into unscored_stories select distinct on (story_id) story_id, model_version_id, 'language', '', now()"
                " from scores where story_id % 50 = 0 on conflict do nothing"
            )
        )
        connection.execute(sa.text("delete from scores where story_id % 100 = 0"))
        reasons = "select count(*), count(unscored_reason) from analytics.scored_stories where story_id % 50 = 0 and "
        assert connection.execute(sa.text(reasons + scored)).one() == (50, 0)
        assert connection.execute(sa.text(reasons + unscored)).one() == (50, 50)
        for story, reason in ((50, None), (100, "language")):
            found = desk_stories.story(connection, story)
            assert found is not None
            assert found["unscored_reason"] == reason
        connection.rollback()


def test_roll_up_by_insert_equals_rebuild(market: Engine) -> None:
    """The trigger that keeps the roll-ups up and the function that makes them anew agree to the last digit."""
    rows = "select * from sentiment_rollups where model_version_id = 3 order by series_id, start_at, span_minutes"
    copies = {
        "scores": "3, scored_at, negative, neutral, positive, sentiment, text_hash",
        "score_companies": "3, company_id, negative, neutral, positive, sentiment",
        "score_topics": "3, topic, probability",
    }
    counted = (
        "insert into counted_stories select story_id, 3, window_start, counted_at, live from counted_stories"
        " where model_version_id = 2 and story_id % 4 = :part"
    )
    with market.connect() as connection:
        for table, columns in copies.items():
            connection.execute(
                sa.text(
                    f"insert into {table} select story_id, {columns} from {table} where model_version_id = 2"
                )
            )
        for part in range(4):
            connection.execute(sa.text(counted), {"part": part})
        by_insert = connection.execute(sa.text(rows)).all()
        connection.execute(sa.text("select rebuild_sentiment_rollups('-infinity')"))
        rebuilt = connection.execute(sa.text(rows)).all()
        connection.rollback()
    assert len(by_insert) == len(rebuilt) > 1000
    for one_row, other in zip(by_insert, rebuilt, strict=True):
        assert one_row[:-2] == other[:-2]
        assert one_row[-2:] == pytest.approx(other[-2:])


def test_band_and_intervals_contain_their_centre(reader: sa.Connection) -> None:
    outside = (
        "select count(*) from sentiment_daily where not negative_share between negative_share_low - 1e-9 and negative_share_high + 1e-9"
        " or not mean_score between coalesce(mean_score_low, -1) and coalesce(mean_score_high, 1)"
    )
    assert one(reader, outside) == 0
    beyond = "select count(*) from sentiment_daily where mean_score_low < -1 or mean_score_high > 1"
    assert one(reader, beyond) == 0
    band = "select count(*) from sentiment_daily_expected where not expected_index between expected_low and expected_high"
    assert one(reader, band) == 0
    assert one(reader, "select max(days) from sentiment_daily_expected") == 28


def test_interval_of_the_index_is_the_bootstraps_and_better_for_few(reader: sa.Connection) -> None:
    """Against resampled stories: the same ends from 20 stories on; for few stories nearer to 95 % of true values held."""
    rng = np.random.default_rng(3)
    rows = reader.execute(
        sa.text(
            "select negative, neutral, positive, sentiment_index_low, sentiment_index_high from sentiment_daily where stories >= 20"
            " union all select negative, neutral, positive, sentiment_index_low, sentiment_index_high from sentiment_hourly"
            " where stories >= 20"
        )
    ).all()
    assert len(rows) > 30
    for negative, neutral, positive, low, high in rows[:150]:
        n = negative + neutral + positive
        drawn = rng.multinomial(n, np.array([negative, neutral, positive]) / n, 4000)
        ends = np.quantile((drawn[:, 2] - drawn[:, 0]) / n, [0.025, 0.975])
        # resampled indexes lie on a grid of 1 / n, the closed form does not
        assert (low, high) == pytest.approx(ends, abs=0.02 + 1.5 / n)
    held = {"ours": 0, "bootstrap": 0}
    for truth in ((0.25, 0.45, 0.3), (0.1, 0.6, 0.3), (0.5, 0.3, 0.2), (0.7, 0.2, 0.1), (0.05, 0.9, 0.05)):
        seen, often = np.unique(rng.multinomial(5, truth, 800), axis=0, return_counts=True)
        for counts, times in zip(seen, often, strict=True):
            low, high = _closed(counts)
            held["ours"] += times * (low <= truth[2] - truth[0] <= high)
            drawn = rng.multinomial(5, counts / 5, 4000)
            low, high = np.quantile((drawn[:, 2] - drawn[:, 0]) / 5, [0.025, 0.975])
            held["bootstrap"] += times * (low <= truth[2] - truth[0] <= high)
    assert held["ours"] / 4000 > 0.94
    assert held["bootstrap"] / 4000 < 0.88
    # the closed form here is the view's
    negative, neutral, positive, low, high = rows[0]
    assert _closed(np.array([negative, neutral, positive])) == pytest.approx((low, high))


def _closed(counts: NDArray[np.int64]) -> tuple[float, float]:
    size = counts.sum() + 1.5
    middle = (counts[2] - counts[0]) / size
    half = 1.96 * np.sqrt(((counts[2] + counts[0] + 1) / size - middle**2) / size)
    return max(-1.0, middle - half), min(1.0, middle + half)


def test_bootstrap_of_a_period_draws_days(market: Engine) -> None:
    """As numpy draws them; the same seed says the same; days that hang together make it wider than single stories would."""
    asked = "select * from analytics.sentiment_bootstrap(:since, :until, 'all', 'all', 4000, :seed)"
    days = "select negative, neutral, positive from analytics.sentiment_daily where kind = 'all' and start_at >= :since and start_at < :until"
    period = {"since": NOW - timedelta(days=30), "until": NOW}
    with market.connect() as connection:
        for steady in (True, False):
            if not steady:  # every other day is all bad, the others all good: thirty draws, not thousands
                connection.execute(
                    sa.text(
                        "update sentiment_rollups set negative = case when extract(day from start_at)::integer % 2 = 0 then 40 else 0 end,"
                        " positive = case when extract(day from start_at)::integer % 2 = 0 then 0 else 40 end, neutral = 0"
                        " where span_minutes = 1440"
                    )
                )
            counts = np.array(connection.execute(sa.text(days), period).all())
            found = connection.execute(sa.text(asked), {**period, "seed": 1}).mappings().one()
            assert dict(found) == dict(
                connection.execute(sa.text(asked), {**period, "seed": 1}).mappings().one()
            )
            other = connection.execute(sa.text(asked), {**period, "seed": 2}).mappings().one()
            assert (dict(found) != dict(other)) or not steady  # all bad or all good days: quantiles tie
            assert (found["days"], found["stories"]) == (len(counts), counts.sum())
            picks = np.random.default_rng(1).integers(0, len(counts), (4000, len(counts)))
            sums = counts[picks].sum(axis=1)
            index = (sums[:, 2] - sums[:, 0]) / sums.sum(axis=1)
            expected = np.quantile(index, [0.025, 0.975])
            ends = (found["sentiment_index_low"], found["sentiment_index_high"])
            width = expected[1] - expected[0]
            assert ends == pytest.approx(
                expected, abs=0.08 * width if steady else 2 / 30 + 1e-9
            )  # two draws may differ by one step of the thirty days, 2 / 30
            share = np.quantile(sums[:, 0] / sums.sum(axis=1), [0.025, 0.975])
            assert (found["negative_share_low"], found["negative_share_high"]) == pytest.approx(
                share, abs=0.05 * width
            )
            single = _closed(counts.sum(axis=0))
            assert (width > 3 * (single[1] - single[0])) != steady
        connection.rollback()
        nothing = {"since": NOW, "until": NOW, "seed": 1}
        assert connection.execute(sa.text(asked), nothing).mappings().one()["days"] == 0


def test_the_past_does_not_change(market: Engine) -> None:
    """Nothing that is written later changes what was known then, or which model spoke."""
    moment = NOW - timedelta(days=2)
    asked = "select * from analytics.sentiment_asof(:moment, 'all', 'all', :moment - interval '3 days')"
    champion = "select analytics.champion_at(:moment)"
    later = [
        "insert into scores select story_id, 3, now(), 1, 0, 0, 'negative', text_hash from scores where model_version_id = 2",
        "insert into model_alias_events (model_version_id, set_at, set_by, reason) values (3, now(), 'test', 'test')",
        "update stories set copies = copies + 5",
        "insert into stories (title, text, text_hash, first_seen_at, available_at, last_seen_at)"
        " select title, text, text_hash, now(), available_at, now() from stories",
    ]
    with market.connect() as connection:
        before = (
            connection.execute(sa.text(asked), {"moment": moment}).all(),
            one(connection, champion, moment=moment),
        )
        for statement in later:
            connection.execute(sa.text(statement))
        after = (
            connection.execute(sa.text(asked), {"moment": moment}).all(),
            one(connection, champion, moment=moment),
        )
        now_says = one(connection, "select analytics.champion_at(now())")
        connection.rollback()
    assert before == after
    assert len(before[0]) > 24
    assert (before[1], now_says) == ("retrained-1", "retrained-2")


def test_asof_sees_only_what_was_scored_by_then(market: Engine) -> None:
    """A story seen but not yet scored is unknown; imported history is unknown before its import."""
    asked = "select coalesce(sum(stories), 0) from analytics.sentiment_asof(:moment, 'all', 'all', :moment - interval '1 day')"
    moment = NOW - timedelta(days=1)
    with market.connect() as connection:
        known = int(str(one(connection, asked, moment=moment)))
        connection.execute(
            sa.text("update scores set scored_at = :late where scored_at < :late"), {"late": NOW}
        )
        assert one(connection, asked, moment=moment) == 0
        connection.rollback()
        connection.execute(
            sa.text("update stories set first_seen_at = :late where id % 2 = 0"), {"late": NOW}
        )
        assert int(str(one(connection, asked, moment=moment))) < known
        connection.rollback()


def test_kappa_of_known_pairs(market: Engine) -> None:
    """40 pairs, 35 of them equal, half of each: agreement 0.875, chance 0.5, kappa 0.75."""
    said = ["negative"] * 20 + ["positive"] * 20
    others = ["negative"] * 17 + ["positive"] * 3 + ["positive"] * 18 + ["negative"] * 2
    insert = (
        "insert into labels (article_id, target, sentiment, labelled_by, labelled_at, origin)"
        " values (:id, 'story', :sentiment, :who, now(), 'sql')"
    )
    with market.connect() as connection:
        for index, (first, second) in enumerate(zip(said, others, strict=True), start=1):
            connection.execute(sa.text(insert), {"id": index, "sentiment": first, "who": "aa"})
            connection.execute(sa.text(insert), {"id": index, "sentiment": second, "who": "ab"})
        row = connection.execute(
            sa.text(
                "select items, agreement, kappa from analytics.label_agreement where labeller = 'aa' and other_labeller = 'ab'"
            )
        ).one()
        connection.rollback()
    assert (row.items, row.agreement) == (40, 0.875)
    assert row.kappa == pytest.approx(0.75, abs=0.005)


def test_no_view_shows_a_secret(market: Engine) -> None:
    columns = sa.text(
        "select table_name || '.' || column_name from information_schema.columns where table_schema = 'analytics'"
    )
    with market.connect() as connection:
        names = connection.execute(columns).scalars().all()
    assert not [name for name in names if re.search(r"password|hash|token|payload|secret", name)]
