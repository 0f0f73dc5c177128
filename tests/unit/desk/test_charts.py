"""Counts become an index with its band: known answers, and that nothing looks ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.desk.charts import DAY, HOUR, Counts, band, chart, floor, on_grid, spark, trailing_index

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def days(*values: tuple[int, int, int], until: datetime = NOON) -> list[Counts]:
    """One Counts a day, the last on the day before `until`."""
    first = floor(until, DAY) - len(values) * DAY
    return [Counts(first + number * DAY, *value) for number, value in enumerate(values)]


def indexes(counts: list[Counts]) -> dict[datetime, float | None]:
    return {count.start_at: count.index for count in counts}


def test_index_of_known_counts() -> None:
    assert Counts(NOON, 3, 4, 1).index == pytest.approx(-0.25)
    assert Counts(NOON, 0, 0, 0).index is None


def test_trailing_index_forgets_what_left() -> None:
    grid = [
        Counts(NOON + n * HOUR, *value)
        for n, value in enumerate([(1, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0)])
    ]
    assert trailing_index(grid, 2) == [-1.0, 0.0, 1.0, None]


def test_band_is_mean_and_two_deviations_of_the_days_before() -> None:
    history = days(*[(1, 0, 1), (0, 0, 2)] * 5)
    low, expected, high = band(indexes(history), floor(NOON, DAY)) or (0, 0, 0)
    assert expected == pytest.approx(0.5)
    assert high == 1.0
    assert low == pytest.approx(0.5 - 2 * 0.527046, abs=1e-4)


def test_band_needs_a_week_and_only_looks_back() -> None:
    assert band(indexes(days(*[(1, 1, 1)] * 6)), floor(NOON, DAY)) is None
    history = days(*[(1, 1, 1), (0, 1, 1)] * 5)
    known = band(indexes(history), floor(NOON, DAY))
    later = [*history, Counts(floor(NOON, DAY), 99, 0, 0), Counts(floor(NOON, DAY) + DAY, 99, 0, 0)]
    assert band(indexes(later), floor(NOON, DAY)) == known


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60))
def test_columns_have_one_length_and_bounds(values: list[tuple[int, int, int]]) -> None:
    history = days(*values)
    since = NOON - timedelta(days=30)
    drawn = chart(history, history, since, NOON, 1440)
    assert {len(column) for column in drawn.values() if isinstance(column, list)} == {31}
    for low, index, high in zip(drawn["low"], drawn["index"], drawn["high"], strict=True):
        assert index is None or -1 <= index <= 1
        assert low is None or -1 <= low <= high <= 1
    shown = [count for count in history if count.start_at >= floor(since, DAY)]
    assert sum(drawn["negative"]) == sum(count.negative for count in shown)


def test_hours_without_stories_are_zero() -> None:
    grid = on_grid([Counts(NOON, 1, 0, 0)], NOON - 2 * HOUR, NOON + HOUR, HOUR)
    assert [count.negative for count in grid] == [0, 0, 1]


def test_spark_runs_from_bottom_to_top() -> None:
    line = spark([(NOON - DAY, -1.0), (NOON, 1.0)], NOON - DAY, NOON, width=100, height=20)
    assert line is not None
    assert line["points"] == "2.0,18.0 98.0,2.0"
    assert spark([(NOON, 0.5)], NOON - DAY, NOON) is None
