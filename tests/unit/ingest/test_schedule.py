"""When a feed is polled next, and why: one sentence for each rule."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ingest.schedule import Hints, Pace, next_due, usual_gap

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)


def pace(**changes: object) -> Pace:
    return Pace(**({"name": "acme", "min_interval": 5 * MINUTE} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "least", "word"),
    [
        (pace(), 30, "not known"),
        (pace(median_gap=20 * MINUTE), 10, "half its usual gap"),
        (pace(median_gap=MINUTE), 5, "usual gap"),
        (pace(median_gap=timedelta(days=30)), 60, "60 min|1 h"),
        (pace(median_gap=20 * MINUTE, min_interval=timedelta(hours=2)), 120, "min_interval_s"),
        (pace(median_gap=20 * MINUTE, hints=Hints(ttl_s=1_800)), 30, "ttl"),
        (pace(median_gap=20 * MINUTE, hints=Hints(ttl_s=86_400)), 60, "ttl"),
        (pace(median_gap=20 * MINUTE, hints=Hints(max_age_s=5_400)), 90, "max-age"),
    ],
)
def test_the_longest_wish_wins(given: Pace, least: int, word: str) -> None:
    import re

    due = next_due(given, NOW)
    assert least * MINUTE <= due.at - NOW <= least * MINUTE * 1.1
    assert re.search(word, due.reason)


def test_the_same_question_has_the_same_answer_and_feeds_spread() -> None:
    assert next_due(pace(), NOW) == next_due(pace(), NOW)
    moments = {next_due(pace(name=f"feed{n}"), NOW).at for n in range(50)}
    assert len(moments) == 50


def test_backoff_doubles_to_a_day_and_never_ends() -> None:
    waits = [next_due(pace(error_count=n), NOW, failed=True).at - NOW for n in range(1, 30)]
    assert timedelta(minutes=4) <= waits[0] <= timedelta(minutes=6)
    assert waits[3] > waits[1]
    assert waits[-1] >= timedelta(hours=24) * 0.8
    crowd = [next_due(pace(name=f"feed{n}", error_count=30), NOW, failed=True) for n in range(50)]
    assert all(timedelta(hours=19.2) <= due.at - NOW <= timedelta(hours=24) for due in crowd)
    assert len({due.at for due in crowd}) > 15  # those that fail for long spread all the same


def test_a_feed_that_fails_is_asked_no_more_often_than_it_may_be_when_it_works() -> None:
    slow = pace(error_count=1, min_interval=timedelta(hours=2))
    assert next_due(slow, NOW, failed=True).at - NOW >= timedelta(hours=2) * 0.8


def test_retry_after_wins_over_backoff_and_is_capped() -> None:
    due = next_due(pace(error_count=1), NOW, failed=True, retry_after=timedelta(hours=2))
    assert due.at == NOW + timedelta(hours=2)
    assert "Retry-After" in due.reason
    assert next_due(pace(), NOW, failed=True, retry_after=timedelta(days=400)).at == NOW + timedelta(days=7)


@pytest.mark.parametrize(("hours", "waits"), [(12, 12), (240, 24)])
def test_a_refusal_is_believed_for_as_long_as_its_answer_may_be_kept_but_for_a_day_at_most(
    hours: int, waits: int
) -> None:
    kept = pace(error_count=1, hints=Hints(max_age_s=hours * 3_600))
    due = next_due(kept, NOW, failed=True, retry_after=timedelta(hours=1))
    assert due.at == NOW + timedelta(hours=waits)


def test_skip_hours_and_days_move_but_never_past_a_day() -> None:
    due = next_due(pace(hints=Hints(skip_hours=frozenset({12, 13}))), NOW)
    assert due.at == NOW.replace(hour=14)
    assert "skipHours" in due.reason
    monday = next_due(pace(hints=Hints(skip_days=frozenset({"monday"}))), NOW)
    assert monday.at == datetime(2026, 11, 24, tzinfo=UTC)
    always = next_due(pace(hints=Hints(skip_hours=frozenset(range(24)))), NOW)
    assert always.at == NOW + timedelta(hours=24)


def test_usual_gap_is_the_median_of_the_newest() -> None:
    assert usual_gap([NOW - n * MINUTE * 10 for n in range(30)]) == 10 * MINUTE
    assert usual_gap([NOW - n * MINUTE * 10 for n in range(3)]) == 10 * MINUTE


@pytest.mark.parametrize("published", [[], [NOW], [NOW, NOW - 10 * MINUTE], [NOW, NOW, NOW]])
def test_fewer_than_three_moments_have_no_usual_gap(published: list[datetime]) -> None:
    assert usual_gap(published) is None
