"""What an answer means for its feed: outcome, new state, next poll. Pure; the step stores what this says.

Validators are kept byte for byte from every 200 and 304, also when the content is equal, and those that the newest
200 lacks are dropped: a client that repeats an old ETag gets 200s for ever, and 429s for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.errors import ParseError, UndertowError
from pipeline.ingest.answer import NETWORK_ERRORS, Answer, max_age_s, retry_after
from pipeline.ingest.links import host_of
from pipeline.ingest.schedule import Due, Hints, Pace, host_rest, next_due
from pipeline.ingest.text import one_line

# A permanent redirect is believed after this many sightings over this long; sites undo mistakes within days.
MOVED_SEEN = 5
MOVED_FOR = timedelta(hours=72)
# 410 is believed at the second sighting a day later; a broken deployment says it for an hour.
GONE_FOR = timedelta(hours=24)
# When this share of the hosts of a run fail at once, it is our own uplink.
EGRESS_SHARE = 0.7
EGRESS_HOSTS = 4
EGRESS_RETRY = timedelta(minutes=5)

_STATUS_ERRORS = {
    401: "LoginWanted",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    410: "Gone",
    429: "RateLimited",
    503: "Unavailable",
}


@dataclass(frozen=True, slots=True)
class State:
    """What polling remembers of a feed (table feed_states), plus what pacing needs of its configuration."""

    feed_id: int
    name: str
    url: str
    min_interval: timedelta
    status: str = "ok"
    error_class: str | None = None
    error_message: str | None = None
    error_count: int = 0
    first_error_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_ok_at: datetime | None = None
    last_new_item_at: datetime | None = None
    next_due_at: datetime | None = None
    next_due_reason: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    validators_url: str | None = None
    body_hash: bytes | None = None
    redirect_to: str | None = None
    redirect_seen: int = 0
    redirect_first_at: datetime | None = None
    previous_urls: tuple[str, ...] = ()
    gone_seen: int = 0
    gone_first_at: datetime | None = None
    identity_policy: str = "guid"
    hints: Hints = field(default_factory=Hints)
    median_gap_s: float | None = None
    usual_body_chars: float | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """A host that is left alone until then, and why, in words."""

    host: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` as in feed_fetches.outcome; `rest` holds a whole host back: the one that answered, wherever a redirect led."""

    kind: str  # ok | not_modified | same_body | error | egress_down
    state: State
    error_class: str | None = None
    error_message: str | None = None
    rest: Rest | None = None


def needs_parsing(answer: Answer, state: State) -> bool:
    """Whether the body is new to us."""
    return answer.error is None and answer.status in (200, 203, 226) and answer.body_hash != state.body_hash


def decide(
    answer: Answer,
    state: State,
    now: datetime,
    *,
    parsed: bool = False,
    parse_error: ParseError | None = None,
    new_hints: Hints | None = None,
    scope: str = "host",
) -> Outcome:
    """The outcome of one poll. `parsed`, `parse_error`, `new_hints`: what parsing said, if it was needed."""
    if answer.asked:
        state = replace(state, last_attempt_at=now)
    error = answer.error or parse_error
    if error is not None:
        return _failed(state, now, type(error).__name__, _line(error), answer.headers)
    if answer.status == 304:
        return _fine("not_modified", _with_validators(answer, state, keep=True), answer, now, None)
    if answer.status in (200, 203, 226):
        kind = "ok" if parsed else "same_body"
        state = _moved(_with_validators(answer, state, keep=False), answer, now)
        return _fine(kind, replace(state, body_hash=answer.body_hash), answer, now, new_hints)
    return _refused(answer, state, now, scope)


def egress_is_down(hosts: Mapping[str, bool]) -> bool:
    """Whether our own uplink is at fault. `hosts`: host -> whether it failed with a network error, in one run."""
    return _is_down(sum(hosts.values()), len(hosts))


def egress_is_up(hosts: Mapping[str, bool], expected: int) -> bool:
    """Whether `egress_is_down` can no longer come true, whatever the rest of the `expected` hosts of the run does."""
    return not _is_down(expected - sum(not failed for failed in hosts.values()), expected)


def _is_down(failed: int, hosts: int) -> bool:
    return hosts >= EGRESS_HOSTS and failed > EGRESS_SHARE * hosts


def excuse(outcome: Outcome, before: State, now: datetime) -> Outcome:
    """The outcome of a feed whose failure was our own: nothing is counted against it."""
    due = Due(
        now + EGRESS_RETRY, "most hosts failed at once, so this machine's network was down; no feed is blamed"
    )
    state = replace(
        before,
        last_attempt_at=outcome.state.last_attempt_at,
        next_due_at=due.at,
        next_due_reason=due.reason,
    )
    return Outcome("egress_down", state, outcome.error_class, outcome.error_message)


def is_network_error(answer: Answer) -> bool:
    """Whether a dead uplink would look like this."""
    return type(answer.error).__name__ in NETWORK_ERRORS


def _fine(kind: str, state: State, answer: Answer, now: datetime, new_hints: Hints | None) -> Outcome:
    hints = replace(new_hints or state.hints, max_age_s=max_age_s(answer.headers, now))
    state = replace(
        state, status="ok", error_class=None, error_message=None, error_count=0, first_error_at=None, last_ok_at=now,
        gone_seen=0, gone_first_at=None, hints=hints,
    )  # fmt: skip
    return Outcome(kind, _due(state, next_due(_pace(state), now)))


def _failed(
    state: State,
    now: datetime,
    error_class: str,
    message: str,
    headers: Mapping[str, str],
    status: str = "backing_off",
) -> Outcome:
    waits = retry_after(headers, now) if status == "rate_limited" else None
    state = replace(
        state, status=status, error_class=error_class, error_message=message, error_count=state.error_count + 1,
        first_error_at=state.first_error_at or now,
    )  # fmt: skip
    pace = _pace(state)
    if status == "rate_limited":
        pace = replace(pace, hints=replace(pace.hints, max_age_s=max_age_s(headers, now)))
    return Outcome(
        "error", _due(state, next_due(pace, now, failed=True, retry_after=waits)), error_class, message
    )


def _refused(answer: Answer, state: State, now: datetime, scope: str) -> Outcome:
    """An HTTP status that brings no feed."""
    code = answer.status or 0
    name = _STATUS_ERRORS.get(code) or ("ServerError" if code >= 500 else "BadStatus")
    message = f"the server answered {code}"
    if code == 410:
        return _gone(state, now)
    if code in (429, 503):
        outcome = _failed(state, now, name, message, answer.headers, "rate_limited")
        if code == 503 or scope == "feed":
            return outcome
        due = host_rest(now, retry_after(answer.headers, now))
        return replace(outcome, rest=Rest(host_of(answer.url), due.at, due.reason))
    if code == 403 and answer.headers.get("cf-mitigated") == "challenge":
        return _failed(
            state, now, "ChallengePage", "the server asks whether we are human", answer.headers, "challenge"
        )
    return _failed(state, now, name, message, answer.headers)


def _gone(state: State, now: datetime) -> Outcome:
    first = state.gone_first_at or now
    state = replace(state, gone_seen=state.gone_seen + 1, gone_first_at=first)
    if state.gone_seen >= 2 and now - first >= GONE_FOR:
        outcome = _failed(
            state, now, "Gone", "the publisher says that the feed is gone for good (410)", {}, "gone"
        )
        reason = "never: 410 Gone twice a day apart; `undertow feeds check NAME` tries it again"
        return replace(outcome, state=replace(outcome.state, next_due_at=None, next_due_reason=reason))
    return _failed(state, now, "Gone", "the server answered 410", {})


def _with_validators(answer: Answer, state: State, *, keep: bool) -> State:
    etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    return replace(
        state,
        etag=etag or (state.etag if keep else None),
        last_modified=modified or (state.last_modified if keep else None),
        validators_url=answer.url,
    )


def _moved(state: State, answer: Answer, now: datetime) -> State:
    """Count sightings of a permanent redirect; rewrite the address once it can be believed."""
    target = answer.permanent_to
    if target is None or target == state.url:
        return replace(state, redirect_to=None, redirect_seen=0, redirect_first_at=None)
    if target != state.redirect_to:
        return replace(state, redirect_to=target, redirect_seen=1, redirect_first_at=now)
    state = replace(state, redirect_seen=state.redirect_seen + 1)
    if state.redirect_seen < MOVED_SEEN or now - (state.redirect_first_at or now) < MOVED_FOR:
        return state
    previous = (*state.previous_urls, state.url)
    return replace(
        state, url=target, previous_urls=previous, redirect_to=None, redirect_seen=0, redirect_first_at=None
    )


def _pace(state: State) -> Pace:
    gap = timedelta(seconds=state.median_gap_s) if state.median_gap_s else None
    return Pace(state.name, state.min_interval, gap, state.error_count, state.hints)


def _due(state: State, due: Due) -> State:
    return replace(state, next_due_at=due.at, next_due_reason=due.reason)


def _line(error: UndertowError) -> str:
    return one_line(error.message, 300)
