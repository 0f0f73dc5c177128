"""One way to make an engine and to turn driver errors into ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib.resources import files

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline.errors import DatabaseUnavailable, WrongCredentials, redact
from pipeline.store.address import read_address, shown

# Other rooms name the types from here: SQLAlchemy itself stays in this one.
__all__ = [
    "Connection",
    "DataError",
    "Engine",
    "Row",
    "clock_of",
    "create_engine",
    "database_errors",
    "hashes",
    "is_outage",
    "numbers",
    "read_sql",
    "sql",
    "texts",
    "times",
]

# A step holds one connection, ingest a few: more would only queue inside Postgres on a small machine.
POOL_SIZE = 5
# Between the values of a column, and in place of a null: characters that cleaned text cannot hold.
_NEXT, _NULL = "\x1d", "\x1e"
# Seconds to wait for a TCP connection before saying that the database is away.
CONNECT_TIMEOUT_S = 10


def create_engine(url: str, *, application: str = "undertow", pool_size: int = POOL_SIZE) -> Engine:
    """An engine for `url` (postgresql:// or postgres://; psycopg2 is the driver). Connects to nothing yet.

    Raises ConfigurationError when the URL cannot be read.
    """
    return sa.create_engine(
        read_address(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": application,
            "options": "-c timezone=UTC",
        },
    )


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Turns `OperationalError` of a failed connection into DatabaseUnavailable or WrongCredentials."""
    try:
        yield
    except OperationalError as error:
        where = shown(engine.url)
        said = [
            line for line in str(error.orig).strip().splitlines() if not line.startswith("\t")
        ]  # no hints
        detail = redact(said[-1] if said else "no answer")
        if "password authentication failed" in detail or ("role" in detail and "does not exist" in detail):
            raise WrongCredentials(
                f"the database at {where} refused the login", "check UNDERTOW_DATABASE_URL"
            ) from error
        raise DatabaseUnavailable(
            f"the database at {where} cannot be used: {detail}", "start it, or check UNDERTOW_DATABASE_URL"
        ) from error


def clock_of(engine: Engine) -> datetime:
    """The time by the database's own clock."""
    with engine.connect() as connection:
        found: datetime = connection.execute(sa.text("select clock_timestamp()")).scalar_one()
    return found


def is_outage(error: BaseException) -> bool:
    """True where the database itself fails (away, disk full, lock timeout), whatever it was given to do."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


@cache
def read_sql(name: str) -> str:
    """The text of pipeline/store/sql/<name>.sql; `{{other}}` in it stands for the text of other.sql, which several share."""
    text = files("pipeline.store").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda part: read_sql(part[1]), text)


@cache
def sql(name: str) -> sa.TextClause:
    """The statement in pipeline/store/sql/<name>.sql, with :named parameters."""
    return sa.text(read_sql(name))


def numbers(values: Iterable[float | int | None]) -> str:
    """`values` as the text of a Postgres array: the driver would adapt them one by one, which takes ten times as long."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def texts(values: Sequence[str | None]) -> str:
    """A column as one text, read by `string_to_array(:name, E'\\x1d', E'\\x1e')`: quick to write, quoted once, and one
    constant for Postgres' parser instead of a thousand. One empty text alone comes out as null.

    Raises ValueError where a value holds one of the two characters.
    """
    joined = _NEXT.join([_NULL if value is None else value for value in values])
    if joined.count(_NEXT) != len(values) - 1 or joined.count(_NULL) != values.count(None):
        raise ValueError("a text holds a control character that separates columns")
    return joined


def hashes(values: Iterable[bytes | None]) -> str:
    """A column of bytes, read as `texts` in hexadecimal."""
    return _NEXT.join([_NULL if value is None else value.hex() for value in values])


def times(values: Sequence[datetime | None]) -> str:
    """A column of times, read as `texts` and cast to timestamptz[]. Rows of a batch share most of them."""
    written = {id_: value.isoformat() for id_, value in {id(v): v for v in values if v is not None}.items()}
    return texts([None if value is None else written[id(value)] for value in values])
