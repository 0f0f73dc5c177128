"""Bring a database to the schema of this code: migrations by Alembic, then views and roles made anew.

    sql/migrations/NNNN_name.sql        one step forward, run once
    sql/alembic/versions/NNNN_name.py   the Alembic revision that executes it
    sql/views/*.sql                     schema `analytics`, made again in name order when any file changed
    sql/roles.sql                       roles and grants, after the views

One transaction holds it all: a kill or an error leaves the old schema whole. Safe at any time and in several
processes at once: an advisory lock lets one through. Nobody queues behind it for long: when a table or view
stays locked for LOCK_TIMEOUT_MS it rolls back, lets the others pass and tries again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from pipeline.errors import DatabaseError, SchemaTooNew, SchemaTooOld
from pipeline.store.engine import create_engine, database_errors

SQL = Path(__file__).resolve().parents[2] / "sql"
ADVISORY_LOCK = 0x756E6465  # "unde": any constant that no other program takes in this database
LOCK_TIMEOUT_MS = 2_000  # how long other sessions may have to queue behind us
LOCK_ATTEMPTS = 15
LOCK_PAUSE_S = 1.0
LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE of a lock_timeout
SCHEMA_COMMENT = "Views for analysts, made from sql/views; the last word is a digest of those files:"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What an upgrade did: revisions before (None: an empty database) and after; whether anything was done."""

    before: str | None
    after: str
    changed: bool


def head() -> str:
    """The newest revision that this code knows."""
    newest = _scripts().get_current_head()
    if newest is None:
        raise DatabaseError(
            "sql/alembic/versions is empty", "the installation is damaged: check out the code again"
        )
    return newest


def current(url: str) -> str | None:
    """The revision of the database at `url`; None if it has no schema. Raises DatabaseUnavailable."""
    engine = create_engine(url)
    try:
        with database_errors(engine), engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def check(url: str) -> str:
    """Return the revision if it is the one this code needs; else raise SchemaTooOld or SchemaTooNew."""
    found, newest = current(url), head()
    if found == newest:
        return newest
    _refuse_newer(found)
    have = f"is at schema {found}" if found else "has no schema yet"
    raise SchemaTooOld(f"the database {have}, this code needs {newest}", "run `undertow db migrate`")


def upgrade(url: str) -> Report:
    """Migrate to the newest schema and make views and roles anew; does nothing when all is as it should be.

    Raises SchemaTooNew, or DatabaseError: a file that PostgreSQL refuses, a lock that is never given.
    """
    engine = create_engine(url)
    try:
        with database_errors(engine), engine.connect() as connection, _alone(connection):
            return _patiently(connection)
    finally:
        engine.dispose()


def make_roles(url: str) -> None:
    """Apply sql/roles.sql to the database at `url`, which may be empty: a dump names roles, but does not hold them."""
    engine = create_engine(url)
    try:
        with database_errors(engine), engine.begin() as connection:
            _make_roles(connection)
    finally:
        engine.dispose()


def _patiently(connection: Connection) -> Report:
    for attempt in range(LOCK_ATTEMPTS):
        try:
            with connection.begin():
                connection.execute(text(f"set local lock_timeout = {LOCK_TIMEOUT_MS}"))
                return _apply(connection)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            log.info("schema is in use, attempt %d of %d", attempt + 1, LOCK_ATTEMPTS)
            time.sleep(LOCK_PAUSE_S)
    raise DatabaseError(
        "a long query holds tables or views to be changed", "end it, then run `undertow db migrate`"
    )


def _apply(connection: Connection) -> Report:
    before, newest, digest = _revision(connection), head(), _digest()
    _refuse_newer(before)
    remake = before != newest or _made_from(connection) != digest
    if remake:
        _drop_views(connection)  # first: PostgreSQL changes no column that a view reads
        command.upgrade(_config(connection), "head")
        _make_views(connection, digest)
        _make_roles(connection)
    return Report(before, newest, remake)


def run_migration(connection: Connection, revision: str) -> None:
    """Execute the file of sql/migrations whose number is `revision`; what each Alembic revision calls."""
    files = list((SQL / "migrations").glob(f"{revision}_*.sql"))
    if len(files) != 1:
        raise DatabaseError(f"sql/migrations should have one file {revision}_*.sql, it has {len(files)}")
    _run_file(connection, files[0])


def _run_file(connection: Connection, path: Path) -> None:
    """Execute one .sql file, any number of statements. Raises DatabaseError naming file and line."""
    script = path.read_text()
    try:
        connection.connection.cursor().execute(script)  # the driver itself: % is no placeholder
    except psycopg2.errors.LockNotAvailable as error:
        raise OperationalError(path.name, None, error) from error
    except psycopg2.errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        line = script.count("\n", 0, int(error.diag.statement_position or 1)) + 1
        raise DatabaseError(f"{path.name}, line {line}: {error.diag.message_primary or error}") from error


def _drop_views(connection: Connection) -> None:
    outside = connection.execute(text((SQL / "alembic" / "dependents.sql").read_text())).scalars().all()
    if outside:
        raise DatabaseError(
            f"{', '.join(outside)} read from schema analytics, which is made anew", "drop them first"
        )
    connection.execute(text("drop schema if exists analytics cascade"))


def _make_views(connection: Connection, digest: str) -> None:
    connection.execute(text("create schema analytics"))
    for path in sorted((SQL / "views").glob("*.sql")):
        _run_file(connection, path)
    connection.execute(text(f"comment on schema analytics is '{SCHEMA_COMMENT} {digest}'"))


def _make_roles(connection: Connection) -> None:
    """Apply sql/roles.sql; an owner that may not make roles gets a warning, since only analysts need them."""
    path = SQL / "roles.sql"
    if not path.exists():
        return
    try:
        with connection.begin_nested():
            _run_file(connection, path)
    except psycopg2.errors.InsufficientPrivilege as error:
        log.warning(
            "roles were not made (%s); ask an administrator to run sql/roles.sql", error.diag.message_primary
        )


def _digest() -> str:
    """Digest of the files that views and roles are made from."""
    paths = sorted([*(SQL / "views").glob("*.sql"), SQL / "roles.sql"])
    digest = hashlib.sha256()
    for path in paths:
        if path.exists():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _made_from(connection: Connection) -> str:
    """Digest that the present views were made from, kept in the comment of their schema; empty if none."""
    query = text("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'analytics'")
    return str(connection.execute(query).scalar() or "").rpartition(" ")[2]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SQL / "alembic"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(
            f"the database is at schema {found}, newer than this code ({head()})", "update the code"
        )


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Let one migration run at a time; the lock belongs to the session and ends with it, whatever happens."""
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
