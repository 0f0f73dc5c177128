"""The life of an alert, tick by tick."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detect.alerts import (
    Change,
    Circumstances,
    Episode,
    Observation,
    advance,
    as_opening,
    as_unbroken,
    from_memory,
    in_doubt,
    may_tell,
    to_memory,
)
from pipeline.detect.counts import TICK
from pipeline.detect.rules import Rule

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
RULE = Rule(warning=3.0, critical=5.0, hold_hours=1.0, reopen_hours=2.0)


def live(scores: list[float | None], rule: Rule = RULE) -> list[tuple[int, str, str, bool]]:
    """(tick, kind, severity, told) of every change; None is a tick without data."""
    episode, said = None, []
    for n, score in enumerate(scores):
        seen = Observation(START + TICK * n, score or 0.0, enough=True, no_data=score is None)
        episode, changes = advance(episode, seen, rule)
        said += [(n, c.kind, c.severity, c.tell) for c in changes]
    return said


def kinds(scores: list[float | None], rule: Rule = RULE) -> list[tuple[int, str]]:
    return [(n, kind) for n, kind, _, _ in live(scores, rule)]


def test_a_warning_fires_in_the_second_tick_in_a_row() -> None:
    assert kinds([3.5, 3.5]) == [(0, "pending"), (1, "open")]


def test_one_tick_alone_is_dropped() -> None:
    assert kinds([3.5, 0, 3.5, 0]) == [(0, "pending"), (1, "drop"), (2, "pending"), (3, "drop")]


def test_critical_fires_at_once() -> None:
    assert live([6.0]) == [(0, "pending", "critical", False), (0, "open", "critical", True)]


def test_evidence_must_be_there_besides_the_score() -> None:
    seen = Observation(START, 9.0, enough=False)
    assert advance(None, seen, RULE) == (None, ())


def test_it_is_held_at_half_the_threshold_and_resolves_after_the_hold_hours() -> None:
    assert kinds([6, 1.5, 1.5, 0, 0, 0, 0]) == [(0, "pending"), (0, "open"), (1, "held"), (6, "resolve")]
    assert kinds([6, 1.5, 1.4, 0, 0, 0]) == [(0, "pending"), (0, "open"), (1, "held"), (5, "resolve")]


def test_a_score_without_the_evidence_holds_an_alert_and_is_no_crossing() -> None:
    fired, _ = advance(None, Observation(START, 6.0, enough=True), RULE)
    held, changes = advance(fired, Observation(START + TICK, 6.0, enough=False), RULE)
    assert held is not None
    assert (held.state, changes) == ("held", (Change("held", "critical"),))


def test_an_alert_remembers_when_it_fired_and_when_it_was_last_worth_holding() -> None:
    episode: Episode | None = None
    for n, score in enumerate([3.5, 4.5, 1.6, 0.0]):
        episode, _ = advance(episode, Observation(START + TICK * n, score, enough=True), RULE)
    assert episode is not None
    assert (episode.pending_at, episode.fired_at) == (START, START + TICK)
    assert (episode.last_crossed_at, episode.peak) == (START + 2 * TICK, 4.5)


def test_what_turns_critical_before_it_fires_opens_as_critical() -> None:
    assert live([3.5, 6.0]) == [(0, "pending", "warning", False), (1, "open", "critical", True)]


def test_a_rise_is_told_once() -> None:
    assert [c for c in live([3.5, 3.5, 6, 7]) if c[3]] == [
        (1, "open", "warning", True),
        (2, "rise", "critical", True),
    ]


def test_back_within_the_reopening_time_it_is_silent_until_it_rises() -> None:
    said = live([3.5, 3.5, 0, 0, 0, 0, 3.5, 0, 0, 0, 0])
    assert [(n, k) for n, k, _, told in said if told] == [(1, "open"), (5, "resolve")]
    assert (6, "reopen", "warning", False) in said
    risen = live([3.5, 3.5, 0, 0, 0, 0, 6.0, 0, 0, 0, 0])
    assert [(n, k) for n, k, _, told in risen if told] == [
        (1, "open"),
        (5, "resolve"),
        (6, "rise"),
        (10, "resolve"),
    ]


def resolved_then(score: float) -> tuple[Episode, tuple[Change, ...]]:
    """What the tick after its end makes of an alert."""
    episode: Episode | None = None
    changes: tuple[Change, ...] = ()
    for n, seen in enumerate([3.5, 3.5, 0, 0, 0, 0, score]):
        episode, changes = advance(episode, Observation(START + TICK * n, seen, enough=True), RULE)
    assert episode is not None
    return episode, changes


def test_a_reopening_is_told_like_an_opening_where_nobody_was_told_before() -> None:
    silent, unsaid = resolved_then(3.5)
    assert (silent.silent, unsaid) == (True, (Change("reopen", "warning"),))
    episode, changes = as_opening(silent, unsaid)
    assert (episode, changes) == (replace(silent, silent=False), (Change("reopen", "warning", tell=True),))
    _, ended = advance(
        episode, Observation(START + TICK * 10, 0.0, enough=True), replace(RULE, hold_hours=0.25)
    )
    assert ended == (Change("resolve", "warning", tell=True),)
    rises = resolved_then(6.0)  # told by the rise, once
    assert [(c.kind, c.tell) for c in as_opening(*rises)[1]] == [("reopen", False), ("rise", True)]
    assert as_opening(*rises) == rises


def test_after_the_reopening_time_it_is_another_alert() -> None:
    assert (12, "reopen") in kinds([6, 0, 0, 0, 0, *[0] * 7, 6])
    assert (13, "pending") in kinds([6, 0, 0, 0, 0, *[0] * 8, 6])


def test_no_data_freezes() -> None:
    assert kinds([3.5, None, None, 3.5]) == [(0, "pending"), (3, "open")]
    assert kinds([6, 0, 0, 0, None, None, None, None, None]) == [(0, "pending"), (0, "open"), (1, "held")]


@pytest.mark.parametrize(
    ("severity", "around", "told"),
    [
        ("warning", Circumstances(), True),
        ("warning", Circumstances(learning=True), False),
        ("critical", Circumstances(learning=True), True),
        ("warning", Circumstances(cause="new_feed"), False),
        ("critical", Circumstances(cause="one_source"), True),
        ("warning", Circumstances(cause="market_wide"), True),
        ("warning", Circumstances(under_market=True), False),
        ("critical", Circumstances(silenced=True), False),
    ],
)
def test_what_is_told(severity, around, told) -> None:
    assert may_tell(severity, around) is told


@pytest.mark.parametrize(
    ("severity", "around", "doubt"),
    [
        ("warning", Circumstances(), False),
        ("warning", Circumstances(learning=True), True),
        ("warning", Circumstances(cause="one_source"), True),
        ("critical", Circumstances(learning=True, cause="one_source"), False),
        ("warning", Circumstances(cause="market_wide"), False),
        ("warning", Circumstances(silenced=True, under_market=True), False),
    ],
)
def test_what_is_held_back_in_doubt(severity, around, doubt) -> None:
    assert in_doubt(severity, around) is doubt


def test_a_reopened_alert_whose_end_was_not_told_tells_its_next_end() -> None:
    ended = Episode("resolved", "critical", START, START, fired_at=START, resolved_at=START)
    again, _ = advance(ended, Observation(START + TICK, 6.0, enough=True), RULE)
    assert again is not None
    said = []
    for episode in (again, as_unbroken(again)):
        now: Episode | None = episode
        for n in range(2, 6):
            now, changes = advance(now, Observation(START + TICK * n, 0.0, enough=True), RULE)
        said.append(changes)
    assert said == [(Change("resolve", "critical"),), (Change("resolve", "critical", tell=True),)]


SCORES = st.lists(st.one_of(st.none(), st.floats(0, 8)), max_size=60)


@given(SCORES, SCORES)
def test_the_future_cannot_change_the_past(past, future) -> None:
    assert live(past + future)[: len(live(past))] == live(past)


@given(SCORES)
def test_changes_come_in_an_order_that_makes_sense(scores) -> None:
    said = [kind for _, kind in kinds(scores)]
    after = {
        None: {"pending"},
        "pending": {"open", "drop"},
        "open": {"held", "rise", "resolve"},
        "rise": {"held", "resolve"},
        "held": {"held", "rise", "resolve"},
        "resolve": {"pending", "reopen"},
        "reopen": {"held", "rise", "resolve"},
        "drop": {"pending"},
    }
    for before, now in zip([None, *said], said, strict=False):
        assert now in after[before]


@given(SCORES)
def test_an_episode_survives_the_database(scores) -> None:
    episode = None
    for n, score in enumerate(scores):
        seen = Observation(START + TICK * n, score or 0.0, enough=True, no_data=score is None)
        if episode is not None:
            assert from_memory(to_memory(episode)) == episode
        episode, _ = advance(episode and replace(from_memory(to_memory(episode))), seen, RULE)
