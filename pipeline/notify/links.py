"""Signed links for feedback: whoever has one may say one thing, until it expires. Opening it changes nothing.

The desk shows what a link would do and does it on POST, because mail scanners open every link they see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast, get_args

from itsdangerous import BadData, URLSafeSerializer

from pipeline.errors import UsageError
from pipeline.types import FeedbackKind

# Long enough for a fortnight's holiday; an alert is resolved long before.
LIFETIME = timedelta(days=21)
SALT = "undertow feedback 1"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link lets its holder say."""

    alert_id: int
    kind: FeedbackKind
    receiver: str
    expires_at: datetime
    story_id: int | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the links of messages; `desk_url` without a slash at the end."""

    desk_url: str
    key: str

    def alert(self, alert_id: int) -> str:
        return f"{self.desk_url}/alerts/{alert_id}"

    def story(self, story_id: int) -> str:
        return f"{self.desk_url}/stories/{story_id}"

    def feedback(
        self, alert_id: int, kind: FeedbackKind, receiver: str, made_at: datetime, story_id: int | None = None
    ) -> str:
        """Address of the page on which the holder may say `kind`; the same arguments give the same address."""
        expires = int((made_at + LIFETIME).timestamp())
        token = _signer(self.key).dumps([alert_id, kind, receiver, expires, story_id])
        return f"{self.desk_url}/feedback/{token}"


def read_token(token: str, key: str, as_of: datetime) -> Invitation:
    """What the link with this token lets its holder say. Raises UsageError when it is forged, broken or expired."""
    try:
        alert_id, kind, receiver, expires, story_id = _signer(key).loads(token)
        expires_at = datetime.fromtimestamp(expires, UTC)
    except (BadData, ValueError, TypeError) as error:
        raise UsageError(
            "this link is not one of ours, or was cut in two", "copy the whole link from the message"
        ) from error
    if kind not in get_args(FeedbackKind):
        raise UsageError("this link says something that is no longer known", "use the desk instead")
    if as_of >= expires_at:
        raise UsageError(f"this link expired on {expires_at:%d %b %Y}", "use the desk instead")
    return Invitation(int(alert_id), cast(FeedbackKind, kind), str(receiver), expires_at, story_id)


def _signer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=SALT)
