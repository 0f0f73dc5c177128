"""Signed links for feedback: whoever has one may say one thing, until it expires. Opening it changes nothing.

The desk shows what a link would do and does it on POST, because mail scanners open every link they see.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast, get_args

from itsdangerous import BadData, URLSafeSerializer

from pipeline.errors import ConfigurationError, UsageError
from pipeline.settings import Settings
from pipeline.store.feedback import FeedbackKind

# Long enough for a fortnight's holiday; an alert is resolved long before.
LIFETIME = timedelta(days=21)
SALT = "undertow feedback 1"
SECRET_FILE = "desk_secret"


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


def make_links(settings: Settings) -> Links:
    """Links to the desk of the settings, signed with its key. Raises ConfigurationError."""
    return Links(settings.desk_url.rstrip("/"), signing_key(settings))


def signing_key(settings: Settings) -> str:
    """UNDERTOW_DESK_SECRET, or a key that is made once and kept under UNDERTOW_HOME for its owner alone.

    Raises ConfigurationError when the file can be neither read nor made.
    """
    if settings.desk_secret is not None:
        return settings.desk_secret.get_secret_value()
    path = settings.home / SECRET_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{SECRET_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
            # whoever links first wins; a file that exists is complete
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"the key for links at {path} cannot be used ({error.strerror})",
            "set UNDERTOW_DESK_SECRET, or make UNDERTOW_HOME writable",
        ) from error


def _signer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=SALT)
