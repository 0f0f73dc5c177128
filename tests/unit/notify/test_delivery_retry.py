"""When to try again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.notify.retry import GIVE_UP_AFTER, next_try

START = datetime(2026, 9, 14, 10, tzinfo=UTC)


def test_waits_double_to_an_hour_and_end_after_a_day() -> None:
    at, attempts, waits = START, 1, []
    while (following := next_try("event:1:desk", attempts, START, at)) is not None:
        waits.append((following - at).total_seconds())
        at, attempts = following, attempts + 1
    for number, nominal in enumerate([60, 120, 240, 480, 960, 1920]):
        assert 0.8 * nominal <= waits[number] <= 1.2 * nominal
    assert all(0.8 * 3600 <= wait <= 1.2 * 3600 for wait in waits[6:])
    assert GIVE_UP_AFTER - timedelta(hours=1.2) <= at - START <= GIVE_UP_AFTER
    assert 25 <= attempts <= 36


def test_jitter_is_a_function_of_the_key() -> None:
    waits = {next_try(f"event:{n}:desk", 3, START, START) for n in range(50)}
    assert len(waits) == 50
    assert next_try("event:1:desk", 3, START, START) == next_try("event:1:desk", 3, START, START)


def test_what_the_receiver_asks_for_is_kept() -> None:
    assert next_try("k", 1, START, START, wait_s=1800) == START + timedelta(minutes=30)


def test_a_long_quiet_time_before_the_first_try_takes_nothing_away() -> None:
    written = START - timedelta(days=3)
    assert next_try("k", 1, START, START) is not None
    assert next_try("k", 40, written, START) is None
