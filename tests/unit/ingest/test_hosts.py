"""Whose turn it is on a host, and when the host is left alone; the long runs are simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ingest.answer import Answer, FetchTimeout
from pipeline.ingest.hosts import LONGEST_VISIT_S, SILENT_TRIES, Visit
from pipeline.ingest.outcome import State, decide

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OK_BEFORE = {"last_attempt_at": NOW - 60 * MINUTE, "last_ok_at": NOW - 60 * MINUTE}


def state(n: int, **changes: object) -> State:
    return replace(State(n, f"feed{n}", f"https://h.example/{n}", 5 * MINUTE), **changes)  # type: ignore[arg-type]


def silence(feed: State) -> Answer:
    return Answer(feed.url, error=FetchTimeout("no complete answer within 30 s", "it is tried again later"))


def fine(feed: State) -> Answer:
    return Answer(feed.url, 304)


def limited(feed: State, **headers: str) -> Answer:
    return Answer(feed.url, 429, {name.replace("_", "-"): value for name, value in headers.items()})


def visit(
    states: list[State], ask: Callable[[State], Answer]
) -> tuple[list[tuple[State, Answer]], list[tuple[State, Answer]]]:
    """The (feed, answer) pairs of those that were asked, and of those that were given up."""
    host, asked, given_up = Visit("h.example", states), [], []
    while (feed := host.next_feed()) is not None:
        asked.append((feed, ask(feed)))
        given_up += host.heard(asked[-1][1])
    return asked, given_up


def ids(pairs: list[tuple[State, Answer]]) -> list[int]:
    return [feed.feed_id for feed, _ in pairs]


def live(states: list[State], ask: Callable[[State, int], Answer], days: int) -> Counter[int]:
    """Polls that ended well per feed (requests of others as -id), with a run each five minutes; `ask` knows the run."""
    feeds, rests_until, got = {feed.feed_id: feed for feed in states}, NOW, Counter[int]()
    for run in range(days * 288):
        now = NOW + run * 5 * MINUTE
        due = [feed for feed in feeds.values() if (feed.next_due_at or now) <= now]
        if rests_until > now or not due:
            continue
        asked, given_up = visit(due, lambda feed, run=run: ask(feed, run))  # type: ignore[misc]
        for feed, answer in asked + given_up:
            outcome = decide(answer, feed, now)
            feeds[feed.feed_id] = outcome.state
            got[feed.feed_id if outcome.kind != "error" else -feed.feed_id] += answer.asked
            if outcome.rest:
                rests_until = max(rests_until, outcome.rest.until)
    return got


@pytest.mark.parametrize("headers", [{}, {"retry_after": "3600"}, {"retry_after": "604800"}])
def test_one_feed_that_always_answers_429_starves_nobody(headers: dict[str, str]) -> None:
    got = live(
        [state(n) for n in (1, 2, 3)],
        lambda feed, run: limited(feed, **headers) if feed.feed_id == 1 else fine(feed),
        days=30,
    )
    assert got[2] == got[3]
    assert got[2] >= (4 if headers.get("retry_after") == "604800" else 300)
    assert got[-1] >= 4


def test_a_host_that_allows_few_requests_serves_all_its_feeds_in_turn() -> None:
    """40 feeds that are due every half an hour, on a host that answers two requests a run: 12 of 40 in that time."""
    served: Counter[int] = Counter()

    def ask(feed: State, run: int) -> Answer:
        served[run] += 1
        return fine(feed) if served[run] <= 2 else limited(feed)

    got = live([state(n) for n in range(1, 41)], ask, days=10)
    assert min(got[n] for n in range(1, 41)) >= 50


def test_those_in_trouble_come_last_then_who_was_asked_longest_ago() -> None:
    states = [
        state(1, status="rate_limited", last_attempt_at=NOW - 60 * MINUTE, error_count=1),
        state(2, error_class="FetchTimeout", last_attempt_at=NOW - 90 * MINUTE, error_count=1),
        state(3, last_attempt_at=NOW - 10 * MINUTE),
        state(4, last_attempt_at=NOW - 20 * MINUTE),
        state(5),
        state(6, status="rate_limited", last_attempt_at=NOW - 15 * MINUTE, error_count=3),  # its fourth try
    ]
    assert ids(visit(states, fine)[0]) == [5, 4, 6, 3, 2, 1]


def test_a_429_ends_the_visit_and_a_redirects_target_spares_its_own() -> None:
    assert ids(visit([state(1), state(2)], limited)[0]) == [1]
    there, here = "https://t.example/2", "https://h.example/3"
    states = [state(1), state(2, validators_url=there), state(3, validators_url=here)]
    elsewhere = Answer("https://t.example/1", 429)
    assert ids(visit(states, lambda feed: elsewhere if feed.feed_id == 1 else fine(feed))[0]) == [1, 3]
    everywhere = Visit("h.example", states, scope="feed")
    while (feed := everywhere.next_feed()) is not None:
        everywhere.heard(limited(feed))
    assert feed is None


def test_a_silent_host_is_given_up_and_its_other_feeds_back_off() -> None:
    asked, given_up = visit([state(n) for n in range(1, 166)], silence)
    assert (len(asked), len(given_up)) == (SILENT_TRIES, 165 - SILENT_TRIES)
    spared, answer = given_up[0]
    outcome = decide(answer, spared, NOW)
    assert (outcome.error_class, outcome.state.error_count) == ("FetchTimeout", 1)
    assert (outcome.error_message or "").startswith("not asked: 3 feeds")
    assert outcome.state.last_attempt_at is None
    assert outcome.state.next_due_at is not None
    after = [decide(answer, feed, NOW).state for feed, answer in asked + given_up]
    assert ids(visit(after, silence)[0]) == [4, 5, 6]  # those that were spared are the first to be asked


def test_silent_feeds_do_not_cost_others_of_their_host_a_turn() -> None:
    """Those that never answered are asked first; before the host is given up for them, a good one is asked."""
    silent = [state(n) for n in range(1, 9)]
    good = [state(n, **OK_BEFORE) for n in range(11, 21)]
    asked, given_up = visit(silent + good, lambda feed: silence(feed) if feed.feed_id < 10 else fine(feed))
    assert given_up == []
    assert len(asked) == 18
    assert ids(asked)[:6] == [1, 2, 11, 3, 4, 12]


def test_good_feeds_beside_silent_ones_are_polled_as_ever() -> None:
    def ask(feed: State, run: int) -> Answer:
        return silence(feed) if feed.feed_id <= 5 else fine(feed)

    alone = live([state(6)], ask, days=10)
    got = live([state(n) for n in range(1, 7)], ask, days=10)
    assert got[6] == alone[6]
    assert all(got[-n] >= 8 for n in range(1, 6))


def test_what_a_long_visit_leaves_stays_due() -> None:
    host = Visit("h.example", [state(1), state(2)])
    feed = host.next_feed()
    assert feed is not None
    assert host.heard(fine(feed), spent_s=LONGEST_VISIT_S + 1) == []
    assert host.next_feed() is None
