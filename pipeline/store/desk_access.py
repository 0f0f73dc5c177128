"""Who may use the desk, and what they did there."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import UsageError
from pipeline.store.desk_rows import Row

ROLES = ("reader", "labeller", "operator")  # each may do what those before it may


def find_user(connection: Connection, name: str) -> Row | None:
    """An enabled user: name, password_hash, role; None if there is none."""
    query = "select name, password_hash, role from users where name = :name and disabled_at is null"
    row = connection.execute(sa.text(query), {"name": name}).mappings().one_or_none()
    return dict(row) if row else None


def list_users(connection: Connection) -> list[Row]:
    """All users without their hashes."""
    query = "select name, role, created_at, disabled_at from users order by name"
    return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


def put_user(connection: Connection, name: str, password_hash: str, role: str, as_of: datetime) -> bool:
    """Adds a user or gives one a new password and role, enabled; True if it is new. Raises UsageError."""
    if role not in ROLES:
        raise UsageError(f"{role!r} is no role", f"one of {', '.join(ROLES)}")
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise UsageError("this user name cannot be used", "take up to 100 printable characters")
    query = (
        "insert into users (name, password_hash, role, created_at) values (:name, :hash, :role, :as_of)"
        " on conflict (name) do update set password_hash = :hash, role = :role, disabled_at = null returning xmax = 0"
    )
    row = {"name": name, "hash": password_hash, "role": role, "as_of": as_of}
    return bool(connection.execute(sa.text(query), row).scalar_one())


def disable_user(connection: Connection, name: str, as_of: datetime) -> bool:
    """Takes a user's access away at once, sessions included; False if there is no such user."""
    query = "update users set disabled_at = :as_of where name = :name and disabled_at is null"
    return connection.execute(sa.text(query), {"name": name, "as_of": as_of}).rowcount == 1


def end_session(connection: Connection, session: str, *, as_of: datetime, forget_before: datetime) -> None:
    """Ends a session of the desk for good; those that ended before `forget_before` have expired and are forgotten."""
    connection.execute(
        sa.text("delete from ended_sessions where ended_at < :before"), {"before": forget_before}
    )
    query = "insert into ended_sessions (id, ended_at) values (:session, :as_of) on conflict do nothing"
    connection.execute(sa.text(query), {"session": session, "as_of": as_of})


def is_ended(connection: Connection, session: str) -> bool:
    """True if somebody logged out of this session."""
    query = "select exists (select from ended_sessions where id = :session)"
    return bool(connection.execute(sa.text(query), {"session": session}).scalar_one())


def audit(
    connection: Connection,
    *,
    who: str,
    action: str,
    target: str = "",
    detail: dict[str, Any] | None = None,
    as_of: datetime,
) -> None:
    """Notes a change in the transaction that makes it."""
    query = (
        "insert into audit_log (at, actor, action, target, detail)"
        " values (:as_of, :who, :action, :target, cast(:detail as jsonb))"
    )
    row = {
        "as_of": as_of,
        "who": who,
        "action": action,
        "target": target,
        "detail": json.dumps(detail or {}, default=str),
    }
    connection.execute(sa.text(query), row)


def audit_trail(connection: Connection, limit: int = 100) -> list[Row]:
    """The last changes, the newest first."""
    query = "select at, actor, action, target, detail from audit_log order by id desc limit :limit"
    return [dict(row) for row in connection.execute(sa.text(query), {"limit": limit}).mappings()]
