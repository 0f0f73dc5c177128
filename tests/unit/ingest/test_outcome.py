"""What an answer means for its feed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.ingest.answer import Answer, CannotConnect, max_age_s, retry_after
from pipeline.ingest.outcome import (
    Outcome,
    Rest,
    State,
    decide,
    egress_is_down,
    egress_is_up,
    excuse,
    needs_parsing,
)
from pipeline.ingest.parse import NotAFeed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://e.com/feed"
STATE = State(1, "acme", URL, timedelta(minutes=5))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def answer(status: int = 200, *, body: bytes = b"x" * 16, **fields: Any) -> Answer:
    headers = {name.replace("_", "-"): value for name, value in fields.pop("headers", {}).items()}
    return Answer(URL, status, headers, body, body_hash=body, **fields)


def test_validators_follow_every_200_and_304() -> None:
    first = decide(
        answer(headers={"etag": 'W/"1"', "last_modified": "odd date"}), STATE, NOW, parsed=True
    ).state
    assert (first.etag, first.last_modified, first.validators_url) == ('W/"1"', "odd date", URL)
    rotated = decide(answer(headers={"etag": '"2"'}), first, NOW).state
    assert (rotated.etag, rotated.last_modified) == ('"2"', None)  # the newest 200 has no Last-Modified
    kept = decide(answer(304, headers={"etag": '"3"'}), rotated, NOW).state
    assert (kept.etag, kept.body_hash) == ('"3"', rotated.body_hash)
    assert decide(answer(304), kept, NOW).state.etag == '"3"'


def test_an_equal_body_is_not_parsed() -> None:
    state = decide(answer(), STATE, NOW, parsed=True).state
    assert not needs_parsing(answer(), state)
    assert needs_parsing(answer(body=b"y" * 16), state)
    assert decide(answer(), state, NOW).kind == "same_body"


def test_a_body_that_cannot_be_parsed_leaves_no_validators() -> None:
    outcome = decide(answer(headers={"etag": '"1"'}), STATE, NOW, parse_error=NotAFeed("no feed"))
    assert (outcome.kind, outcome.error_class, outcome.state.etag, outcome.state.body_hash) == (
        "error",
        "NotAFeed",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "LoginWanted"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (410, "Gone"),
        (500, "ServerError"),
        (418, "BadStatus"),
        (503, "Unavailable"),
    ],
)
def test_refusals_have_names_and_back_off(status: int, name: str) -> None:
    outcome = decide(answer(status), STATE, NOW)
    again = decide(answer(status), outcome.state, NOW + HOUR)
    assert (outcome.kind, outcome.error_class) == ("error", name)
    assert again.state.error_count == 2
    assert again.state.first_error_at == NOW
    assert again.state.next_due_at is not None


def test_gone_needs_two_sightings_a_day_apart() -> None:
    first = decide(answer(410), STATE, NOW).state
    hour_later = decide(answer(410), first, NOW + HOUR).state
    assert hour_later.status == "backing_off"
    day_later = decide(answer(410), hour_later, NOW + 25 * HOUR).state
    assert (day_later.status, day_later.next_due_at) == ("gone", None)
    assert "feeds check" in (day_later.next_due_reason or "")
    recovered = decide(answer(), hour_later, NOW + 25 * HOUR, parsed=True).state
    assert (recovered.gone_seen, recovered.status) == (0, "ok")


def test_429_rests_the_host_503_only_the_feed() -> None:
    limited = decide(answer(429, headers={"retry_after": "7500"}), STATE, NOW)
    assert limited.state.status == "rate_limited"
    assert limited.rest is not None
    assert limited.rest.until == limited.state.next_due_at == NOW + timedelta(seconds=7_500)
    assert decide(answer(429), STATE, NOW, scope="feed").rest is None
    unavailable = decide(answer(503, headers={"retry_after": "7500"}), STATE, NOW)
    assert unavailable.rest is None
    assert unavailable.state.next_due_at == NOW + timedelta(seconds=7_500)


@pytest.mark.parametrize(
    ("headers", "rest"),
    [({}, 5 * MINUTE), ({"retry_after": "0"}, 5 * MINUTE), ({"retry_after": "120"}, 2 * MINUTE)],
)
def test_a_host_rests_as_long_as_it_named_not_as_its_feed_backs_off(
    headers: dict[str, str], rest: timedelta
) -> None:
    limited = decide(answer(429, headers=headers), replace(STATE, error_count=9), NOW)
    assert limited.state.next_due_at is not None
    assert limited.state.next_due_at > NOW + 12 * HOUR
    assert limited.rest is not None
    assert (limited.rest.host, limited.rest.until) == ("e.com", NOW + rest)
    assert "429" in limited.rest.reason
    assert decide(answer(429, headers={"retry_after": "9" * 9}), STATE, NOW).rest == Rest(
        "e.com", NOW + timedelta(days=7), "a 429 asked to wait 7 d (Retry-After)"
    )


def test_the_host_that_answered_rests_not_the_one_that_led_there() -> None:
    limited = Answer("https://target.example/feed", 429, {"retry-after": "604800"})
    outcome = decide(limited, STATE, NOW)
    assert outcome.rest is not None
    assert outcome.rest.host == "target.example"


def test_max_age_on_429_counts() -> None:
    outcome = decide(answer(429, headers={"retry_after": "60", "cache_control": "max-age=36000"}), STATE, NOW)
    assert outcome.state.next_due_at == NOW + 10 * HOUR


def test_a_challenge_is_named() -> None:
    outcome = decide(answer(403, headers={"cf_mitigated": "challenge"}), STATE, NOW)
    assert (outcome.state.status, outcome.error_class) == ("challenge", "ChallengePage")


def test_a_permanent_redirect_is_believed_after_five_sightings_over_three_days() -> None:
    target, state = "https://new.example/feed", STATE
    for n in range(5):
        assert state.url == URL
        state = decide(answer(permanent_to=target), state, NOW + n * 12 * HOUR, parsed=True).state
    assert state.url == URL  # five sightings, two days
    state = decide(answer(permanent_to=target), state, NOW + 80 * HOUR).state
    assert (state.url, state.previous_urls) == (target, (URL,))


def test_a_temporary_redirect_resets_the_count() -> None:
    state = decide(answer(permanent_to="https://new.example/feed"), STATE, NOW, parsed=True).state
    assert state.redirect_seen == 1
    assert decide(answer(), state, NOW).state.redirect_seen == 0


def test_egress_is_down_when_most_hosts_fail() -> None:
    assert egress_is_down({f"h{n}": n < 8 for n in range(10)})
    assert not egress_is_down({f"h{n}": n < 7 for n in range(10)})
    assert not egress_is_down({"one": True, "two": True})  # too few to tell


def test_egress_is_up_once_nothing_can_take_it_down() -> None:
    answered = {f"h{n}": False for n in range(3)}
    assert egress_is_up(answered, 10)  # seven of ten would not do
    assert not egress_is_up(answered, 11)
    assert not egress_is_up(answered | {"h2": True}, 10)
    assert egress_is_up({"one": True}, 3)  # too few to be down


def test_nobody_is_blamed_when_egress_was_down() -> None:
    before = replace(STATE, error_count=2, status="backing_off")
    failed = decide(Answer(URL, error=CannotConnect("no connection")), before, NOW)
    excused = excuse(failed, before, NOW)
    assert failed.state.error_count == 3
    assert (excused.kind, excused.state.error_count, excused.state.status) == (
        "egress_down",
        2,
        "backing_off",
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "125"}, 125),
        ({"retry-after": "Mon, 23 Nov 2026 12:10:00 GMT"}, 600),
        (
            {"retry-after": "Mon, 23 Nov 2026 12:10:00 GMT", "date": "Mon, 23 Nov 2026 12:05:00 GMT"},
            300,
        ),  # their clock
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"x-ratelimit-reset": "90"}, 90),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 60)}, 60),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    found = retry_after(headers, NOW)
    assert (found.total_seconds() if found is not None else None) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": "max-age=600", "age": "100"}, 500),
        ({"cache-control": "no-cache, max-age=600"}, None),
        ({"cache-control": "max-age=0"}, None),
        ({"expires": "Mon, 23 Nov 2026 13:00:00 GMT"}, 3_600),
        ({"expires": "0"}, None),
        ({"expires": "Fri, 31 Dec 9999 23:59:59 PST"}, None),
        ({"cache-control": "max-age=600", "age": "²"}, 600),
        ({"cache-control": "max-age=600", "age": "1" * 5_000}, 600),
    ],
)
def test_max_age(headers: dict[str, str], seconds: float | None) -> None:
    assert max_age_s(headers, NOW) == seconds


def test_a_feed_that_was_not_asked_fails_without_an_attempt() -> None:
    before = replace(STATE, last_attempt_at=NOW - HOUR)
    spared = Answer(URL, error=CannotConnect("not asked"), asked=False)
    failed = decide(spared, before, NOW)
    assert (failed.state.error_class, failed.state.error_count) == ("CannotConnect", 1)
    assert failed.state.last_attempt_at == excuse(failed, before, NOW).state.last_attempt_at == NOW - HOUR
    assert decide(Answer(URL, error=CannotConnect("no")), before, NOW).state.last_attempt_at == NOW


def test_outcomes_are_of_a_closed_set() -> None:
    outcomes: list[Outcome] = [decide(answer(status), STATE, NOW) for status in (200, 204, 304, 400, 500)]
    assert {outcome.kind for outcome in outcomes} <= {"ok", "not_modified", "same_body", "error"}
