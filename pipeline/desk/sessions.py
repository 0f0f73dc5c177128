"""Signed session cookies, the token that every form carries, and a limit on guessing passwords."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "undertow_desk"
# A working day: whoever leaves a browser open overnight logs in again.
LIFETIME = timedelta(hours=12)
# And whoever never lets a session lapse logs in once a week: so long a stolen one is good at most.
LONGEST = timedelta(days=7)
# Five wrong passwords for a name in five minutes, then wait: 60 guesses an hour.
ATTEMPTS, ATTEMPTS_WITHIN = 5, timedelta(minutes=5)
# From an address twenty times as many: an office, or all that come by a proxy, share one.
ATTEMPTS_OF_ADDRESS = 100
# Addresses and names remembered at most; the oldest are forgotten first, so that a flood cannot fill memory.
REMEMBERED = 10_000
# The hash of nothing anyone knows: an unknown name costs as much time as a wrong password.
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie says: a random id; if a user is logged in who, with the mark of which password, and since when (Unix
    time, seconds)."""

    id: str
    user: str | None = None
    mark: str = ""
    since: int = 0


def new_session() -> Session:
    """A session that nobody had before, of nobody who is logged in."""
    return Session(secrets.token_urlsafe(18))


def user_session(user: str, password_hash: str, key: str, as_of: datetime) -> Session:
    """A session that nobody had before, of a user who just logged in."""
    mark = password_mark(password_hash, key)
    return Session(secrets.token_urlsafe(18), user, mark, int(as_of.timestamp()))


def password_mark(password_hash: str, key: str) -> str:
    """What tells one password of a user from the next, and nothing about it: a new one ends the sessions of the old."""
    return hmac.new(key.encode(), f"password {password_hash}".encode(), hashlib.sha256).hexdigest()[:20]


def write_session(session: Session, key: str) -> str:
    """The cookie's value, signed and dated."""
    return _signer(key).dumps([session.id, session.user, session.mark, session.since])


def read_session(value: str | None, key: str, as_of: datetime) -> Session | None:
    """The session in a cookie's value; None when it is missing, forged or expired."""
    if not value:
        return None
    try:
        number, user, mark, since = _signer(key).loads(value, max_age=int(LIFETIME.total_seconds()))
        session = Session(str(number), None if user is None else str(user), str(mark), int(since))
    except (BadData, ValueError, TypeError):
        return None
    too_old = session.user is not None and as_of.timestamp() > session.since + LONGEST.total_seconds()
    return None if too_old else session


def form_token(session: Session, key: str) -> str:
    """The token that forms of this session carry, against requests forged by other sites."""
    return hmac.new(key.encode(), f"form {session.id}".encode(), hashlib.sha256).hexdigest()[:40]


def is_form_token(token: str | None, session: Session, key: str) -> bool:
    """True if the token is that of the session."""
    return bool(token) and hmac.compare_digest(str(token).encode(), form_token(session, key).encode())


def hash_password(password: str) -> str:
    """argon2id with the library's parameters."""
    return _hasher.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """True if the password matches; takes as long for a user that does not exist (stored None)."""
    try:
        return _hasher.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def _nobody() -> str:
    global _nobody_hash  # made on first use: hashing takes 50 ms
    if _nobody_hash is None:
        _nobody_hash = _hasher.hash(secrets.token_urlsafe(16))
    return _nobody_hash


_nobody_hash: str | None = None


class Attempts:
    """Failed logins, by keys that begin with `name` or `address`; thread-safe, in memory (a restart forgives)."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def wait_s(self, keys: tuple[str, ...], as_of: datetime) -> int:
        """Seconds until another attempt is allowed for these keys; 0: now."""
        with self._lock:
            waits = [self._wait(key, as_of) for key in keys]
        return max(waits)

    def note_failure(self, keys: tuple[str, ...], as_of: datetime) -> None:
        """Remembers a failed attempt."""
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, deque(maxlen=_limit(key))).append(as_of)
            while len(self._failures) > REMEMBERED:
                del self._failures[next(iter(self._failures))]

    def forget(self, key: str) -> None:
        """Forgets the failures of a key, after a login that worked."""
        with self._lock:
            self._failures.pop(key, None)

    def _wait(self, key: str, as_of: datetime) -> int:
        failures = self._failures.get(key)
        if not failures or len(failures) < _limit(key):
            return 0
        left = (failures[0] + ATTEMPTS_WITHIN - as_of).total_seconds()
        return max(0, int(left) + 1) if left > 0 else 0


def _limit(key: str) -> int:
    return ATTEMPTS_OF_ADDRESS if key.startswith("address ") else ATTEMPTS


def _signer(key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt="undertow desk session 2")
