"""What people say of alerts and of the stories in them: stored once each, acted on, handed to the label queue."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import UsageError
from pipeline.store.engine import sql
from pipeline.types import FeedbackKind

KINDS: tuple[str, ...] = get_args(FeedbackKind)

# Priorities in the label queue. The uncertainty of the model is at most 1 there; a person who points at a story comes
# before all of it, a story of an alert called noise after that.
POINTED_AT = 3.0
IN_A_NOISY_ALERT = 2.0
# Stories of a noisy alert that are queued: those that contributed most.
NOISY_STORIES = 3


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one person says. `story_id` and `company_id` where it is about one story of the alert."""

    alert_id: int
    kind: FeedbackKind
    given_by: str
    via: str = "desk"
    story_id: int | None = None
    company_id: int | None = None
    note: str = ""

    @property
    def token_id(self) -> str:
        """The same person says the same thing of the same thing once."""
        said = [self.alert_id, self.kind, self.story_id, self.company_id, self.given_by]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Recorded:
    """`new`: it had not been said before, or took the alert anew. `queued`: articles put into the label queue."""

    new: bool
    queued: int


def record_feedback(connection: Connection, feedback: Feedback, as_of: datetime) -> Recorded:
    """Stores `feedback`, acknowledges the alert or queues its stories for labelling, in the caller's transaction.

    Saying it again changes nothing, but for an alert that was reopened: it can be taken again. Raises UsageError for
    an alert or story that is gone.
    """
    if feedback.kind not in KINDS:
        raise UsageError(f"{feedback.kind!r} is no kind of feedback", f"one of {', '.join(KINDS)}")
    _check(connection, feedback)
    row = {
        "alert_id": feedback.alert_id,
        "story_id": feedback.story_id,
        "company_id": feedback.company_id,
        "kind": feedback.kind,
        "given_by": feedback.given_by,
        "via": feedback.via,
        "token_id": feedback.token_id,
        "note": feedback.note,
        "as_of": as_of,
    }
    new = connection.execute(sql("feedback_insert"), row).rowcount == 1
    if feedback.kind == "acknowledge":
        new |= connection.execute(sql("feedback_acknowledge"), row).rowcount == 1
    if not new:
        return Recorded(new=False, queued=0)
    if feedback.kind != "acknowledge":
        connection.execute(sql("feedback_event"), row)
    connection.execute(sql("feedback_audit"), row)
    return Recorded(new=True, queued=_queue(connection, feedback, as_of))


def _check(connection: Connection, feedback: Feedback) -> None:
    found = connection.execute(
        sa.text(
            "select exists (select 1 from alerts where id = :alert_id)"
            " and (cast(:story_id as bigint) is null or exists (select 1 from stories where id = :story_id))"
        ),
        {"alert_id": feedback.alert_id, "story_id": feedback.story_id},
    )
    if not found.scalar_one():
        raise UsageError("the alert or story of this link is gone", "look at the alerts on the desk")


def _queue(connection: Connection, feedback: Feedback, as_of: datetime) -> int:
    if feedback.kind in ("wrong_sentiment", "wrong_company"):
        priority = POINTED_AT
    elif feedback.kind == "noise":
        priority = IN_A_NOISY_ALERT
    else:
        return 0
    row = {
        "alert_id": feedback.alert_id,
        "story_id": feedback.story_id,
        "stories": NOISY_STORIES,
        "priority": priority,
        "as_of": as_of,
    }
    return connection.execute(sql("feedback_queue"), row).rowcount


def feedback_by_rule(connection: Connection) -> list[dict[str, Any]]:
    """For each version of the rules: alerts told, and how many were called useful, noise and so on."""
    return [dict(row._mapping) for row in connection.execute(sql("feedback_by_rule"))]
