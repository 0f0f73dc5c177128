"""A database address: read once, shown without its secrets, and given to PostgreSQL's own programs without its password."""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from pipeline.errors import ConfigurationError

DRIVER = "postgresql+psycopg2"
ADVICE = (
    "write it as postgresql://user:password@host:5432/name, with %40 %2F %3F for @ / ? in user and password"
)


def read_address(url: str) -> URL:
    """`url` (postgresql:// or postgres://) as our driver takes it; a password among its options is moved to its place.

    Raises ConfigurationError, which shows no part of it: what stands in the wrong place may be half a password.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # not as the cause, which repeats what it could not read
        raise _unreadable("is not a database address") from None
    if address.drivername.split("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"UNDERTOW_DATABASE_URL names {address.drivername!r}", "only postgresql:// is supported"
        )
    if _stray_ats(url, address):
        raise _unreadable("holds an @ that ends the password early")
    address = address.set(drivername=DRIVER)
    if "password" in address.query:
        password = address.normalized_query["password"][-1]
        address = address.difference_update_query(["password"]).set(password=password)
    try:
        make_dsn(**arguments(address))
    except (ArgumentError, ValueError, psycopg2.ProgrammingError):
        raise _unreadable("has an option or a port that PostgreSQL does not know") from None
    return address


def arguments(address: URL) -> dict[str, Any]:
    """What the driver is given for an address, under libpq's names."""
    dialect: Any = PGDialect_psycopg2  # untyped where it is defined
    return dict(dialect().create_connect_args(address)[1])


def shown(address: URL) -> str:
    """User, host, port and database, and nothing else, for messages."""
    said = arguments(address)
    user = f"{said['user']}@" if "user" in said else ""
    port = f":{said['port']}" if "port" in said else ""
    return f"{user}{said.get('host', '')}{port}/{said.get('dbname', '')}"


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """`url` as PostgreSQL's own programs take it, and the password as a variable: no process list shows it.

    Raises ConfigurationError.
    """
    said = arguments(read_address(url))
    password = said.pop("password", None)
    return make_dsn(**said), {"PGPASSWORD": str(password)} if password else {}


def _stray_ats(url: str, address: URL) -> bool:
    """True if more @ are written than the one after user and password, those of the user and those of options."""
    known = 1 + (address.username or "").count("@") if address.username is not None else 0
    values = "".join(value for many in address.normalized_query.values() for value in many)
    return url.count("@") > known + values.count("@")


def _unreadable(why: str) -> ConfigurationError:
    return ConfigurationError(f"UNDERTOW_DATABASE_URL {why}", ADVICE)
