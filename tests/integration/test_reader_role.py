"""The analysts' role stays what it is, whatever it makes of the functions that run as their owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

PASSWORD = "of-this-test-only"
NO_TEMP_LAST = """
    select oid::regprocedure::text from pg_proc
    where prosecdef and pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      and not exists (select from unnest(proconfig) as setting where setting ~ '^search_path=.*, pg_temp$')
"""
EVIL = """
    create function pg_temp.evil() returns text language plpgsql as $$
    begin
      alter role undertow_reader superuser;
      return '2026-01-01';
    end $$
"""
# What stands in for the tables behind the function that is called; each runs `evil` when it is read.
ALIASES = (
    "create temporary view model_alias_events as"
    " select 1 as id, 'champion' as alias, 1 as model_version_id, '2026-01-01'::timestamptz as set_at"
)
VERSIONS = "create temporary view model_versions as select 1 as id, pg_temp.evil() as version"
STORIES = (
    "create temporary view stories as"
    " select 1::bigint as id, pg_temp.evil()::timestamptz as available_at, pg_temp.evil()::timestamptz as first_seen_at"
)


@pytest.fixture
def reader(engine: Engine) -> Iterator[psycopg2.extensions.connection]:
    """A login as an analyst's notebook has it."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"alter role undertow_reader password '{PASSWORD}'"))
    address = engine.url.set(drivername="postgresql", username="undertow_reader", password=PASSWORD)
    with closing(psycopg2.connect(address.render_as_string(hide_password=False))) as connection:
        connection.autocommit = True
        yield connection
    with engine.begin() as connection:
        connection.execute(sa.text("alter role undertow_reader nosuperuser password null"))


def test_functions_that_run_as_their_owner_look_at_temporary_tables_last(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from pg_proc where prosecdef")).scalar()
        assert connection.execute(sa.text(NO_TEMP_LAST)).scalars().all() == []


@pytest.mark.parametrize(
    ("stand_ins", "call"),
    [
        ((ALIASES, VERSIONS), "select analytics.champion_at(now())"),
        ((STORIES,), "select * from analytics.sentiment_asof(now(), since => '-infinity')"),
    ],
)
def test_an_analyst_cannot_become_superuser(
    reader: psycopg2.extensions.connection, stand_ins: tuple[str, ...], call: str
) -> None:
    with reader.cursor() as cursor:
        for statement in ("set default_transaction_read_only = off", EVIL, *stand_ins, call):
            cursor.execute(statement)
        cursor.execute("select rolsuper from pg_roles where rolname = 'undertow_reader'")
        assert cursor.fetchone() == (False,)
