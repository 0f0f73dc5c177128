"""Where the signed links of mails and Slack messages land. Opening one shows what it would do; only its button does it.

No login: the link itself is the permission, for one thing said of one alert by one receiver, until it expires.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from pipeline.desk.context import Ask, Asked, Plain, checks_form
from pipeline.desk.words import who_has_it
from pipeline.errors import UsageError
from pipeline.notify.card import read_card
from pipeline.notify.links import Invitation, read_token
from pipeline.store import desk_alerts
from pipeline.store.feedback import Feedback, record_feedback

router = APIRouter()

Token = Annotated[Plain, Path(max_length=1000)]
ASKS = {
    "acknowledge": ("Take this alert", "You tell the others that you are looking into it."),
    "useful": ("This alert was useful", "It counts for the rule that found it."),
    "noise": (
        "This alert was noise",
        "It counts against the rule, and its stories go to the labelling queue.",
    ),
    "wrong_sentiment": ("The verdict on this story is wrong", "The story goes to the labelling queue."),
    "wrong_company": ("This story is about another company", "The story goes to the labelling queue."),
    "duplicate": ("This story repeats another", "It is noted for the grouping of copies."),
}


@router.get("/feedback/{token}")
def show(ask: Ask, token: Token) -> Response:
    try:
        return _page(ask, token, read_token(token, ask.desk.key, ask.as_of))
    except UsageError as error:
        return ask.page("feedback.html", problem=error, invitation=None, done=None, asks=ASKS)


@router.post("/feedback/{token}", dependencies=[Depends(checks_form)])
def say(ask: Ask, token: Token) -> Response:
    invitation = read_token(token, ask.desk.key, ask.as_of)
    said = Feedback(
        invitation.alert_id, invitation.kind, invitation.receiver, "mail", story_id=invitation.story_id
    )
    with ask.desk.changing() as connection:
        recorded = record_feedback(connection, said, ask.as_of)
    return _page(ask, token, invitation, done="new" if recorded.new else "again")


def _page(ask: Asked, token: str, invitation: Invitation, done: str | None = None) -> Response:
    with ask.desk.reading() as connection:
        alert = desk_alerts.alert(connection, invitation.alert_id)
    if alert is None:
        raise UsageError("the alert of this link is gone", "look at the alerts on the desk")
    card = read_card(alert["evidence"])
    taken = who_has_it(alert["state"], alert["acknowledged_by"], invitation.receiver)
    story = next((s for s in card.stories if s.story_id == invitation.story_id), None)
    return ask.page(
        "feedback.html", token=token, invitation=invitation, alert=alert, card=card, story=story,
        done=done, taken=taken, problem=None, asks=ASKS,
    )  # fmt: skip
