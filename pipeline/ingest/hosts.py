"""How a host is treated in one run: whose turn it is, and when to leave it alone. Pure.

A host is asked for one feed after the other, so each of them decides over those behind it. Feeds in trouble come last,
and among equals the one that was asked longest ago comes first: so every feed gets its turn, whatever the others answer.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from pipeline.ingest.answer import NETWORK_ERRORS, Answer
from pipeline.ingest.links import host_of
from pipeline.ingest.outcome import State, is_network_error

# Feeds in a row that bring no answer before a host is given up for this run: two may be broken by themselves, and the third
# try goes to the feed that answered last. At the 10 s that the fetcher waits for a byte a dead host costs half a minute.
SILENT_TRIES = 3
# Seconds after which the rest of a host's feeds stay due for the next run: a third of the 30 min after which Airflow ends
# a run (dags/ingest.py), and enough for 500 feeds that answer at once.
LONGEST_VISIT_S = 600.0
# Every fourth try of a feed with 429s is made in its turn, not behind all others: where a host has more feeds than it allows
# requests, those behind would meet a 429 for ever. A feed that is never welcome so costs the others one rest in four.
TRIES_TO_A_TURN = 4
_NEVER = datetime.min.replace(tzinfo=UTC)


class Visit:
    """The due feeds of one host in one run. `next_feed()`, ask it, `heard(answer)`, until there is no next."""

    def __init__(self, host: str, states: Iterable[State], *, scope: str = "host") -> None:
        """`scope`: what a 429 holds back, as in settings."""
        self.host, self._scope, self._silent = host, scope, 0
        self._waiting = sorted(states, key=_turn)

    def next_feed(self) -> State | None:
        """Whom to ask next; None: it is over."""
        if not self._waiting:
            return None
        trusted = 0
        if self._silent == SILENT_TRIES - 1:  # whether it is the host or its feeds is best told by a good one
            trusted = max(
                range(len(self._waiting)), key=lambda n: (self._waiting[n].last_ok_at or _NEVER, -n)
            )
        return self._waiting.pop(trusted)

    def heard(self, answer: Answer, *, spent_s: float = 0.0) -> list[tuple[State, Answer]]:
        """Take note of an answer, `spent_s` after the visit began. Returns the feeds that are given up unasked, with what
        counts as their answer; others that get no turn stay due."""
        self._silent = self._silent + 1 if is_network_error(answer) else 0
        given_up: list[tuple[State, Answer]] = []
        if self._silent >= SILENT_TRIES:
            given_up = [(state, _unasked(state, answer)) for state in self._waiting]
        limited_by = host_of(answer.url) if answer.status == 429 and self._scope == "host" else None
        if given_up or limited_by == self.host or spent_s > LONGEST_VISIT_S:
            self._waiting = []
        elif limited_by:  # a redirect's target: those that ended there last time would meet it again
            self._waiting = [
                state for state in self._waiting if host_of(state.validators_url or state.url) != limited_by
            ]
        return given_up


def _turn(state: State) -> tuple[bool, datetime, int, int]:
    asked_at, limited = state.last_attempt_at or _NEVER, state.status == "rate_limited"
    behind = limited and (state.error_count + 1) % TRIES_TO_A_TURN != 0
    in_trouble = behind or state.error_class in NETWORK_ERRORS
    return in_trouble, asked_at, state.error_count, state.feed_id


def _unasked(state: State, answer: Answer) -> Answer:
    """The failure of the others, for a feed that is spared it: it backs off as they do, so it does not wait again at once."""
    error = answer.error
    assert error is not None
    message = f"not asked: {SILENT_TRIES} feeds of its host in a row failed, the last with: {error.message}"
    return Answer(state.url, error=type(error)(message, error.advice), asked=False)
