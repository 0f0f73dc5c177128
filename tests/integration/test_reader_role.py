"""The analysts' role stays what it is, whatever it makes of the functions that run as their owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg2
import pytest
import sqlalchemy as sa
from detect_world import NOW, World
from sqlalchemy import Engine

from pipeline.store import migrate

PASSWORD = "of-this-test-only"
OPEN_TO_CALLERS = """
    select oid::regprocedure::text from pg_proc
    where prosecdef and pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      and not exists (select from unnest(proconfig) as setting where setting = 'search_path=pg_catalog, pg_temp')
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
# Fits a share's division better than any built-in operator.
OPERATOR = (
    "create function public.evil(double precision, bigint) returns double precision language plpgsql as"
    " $$ begin alter role undertow_reader superuser; return 0; end $$",
    "create operator public./ (leftarg = double precision, rightarg = bigint, function = public.evil)",
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


def test_functions_that_run_as_their_owner_look_nowhere_that_a_caller_can_write(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from pg_proc where prosecdef")).scalar()
        assert connection.execute(sa.text(OPEN_TO_CALLERS)).scalars().all() == []


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


def may_create(engine: Engine, role: str) -> bool:
    with engine.connect() as connection:
        asked = sa.text("select has_schema_privilege(:role, 'public', 'create')")
        return bool(connection.execute(asked, {"role": role}).scalar())


def as_made_before_15(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("grant create on schema public to public"))


def test_an_operator_in_public_does_not_make_an_analyst_superuser(
    engine: Engine, reader: psycopg2.extensions.connection
) -> None:
    as_made_before_15(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into series (kind, key, title, created_at) values ('all', 'all', 'All', now())")
        )
    World(engine).story(NOW - timedelta(minutes=5), scored_at=NOW)
    with reader.cursor() as cursor:
        cursor.execute("set default_transaction_read_only = off")
        for statement in OPERATOR:
            cursor.execute(statement)
        cursor.execute("select negative_share from analytics.sentiment_asof(%s)", (NOW,))
        assert cursor.rowcount == 1
        cursor.execute("select rolsuper from pg_roles where rolname = 'undertow_reader'")
        assert cursor.fetchone() == (False,)


def test_analysts_create_nothing_in_public_and_the_owner_of_the_tables_still_does(engine: Engine) -> None:
    as_made_before_15(engine)
    owner = "owner_of_this_test_only"
    with engine.begin() as connection:
        connection.execute(sa.text(f"create role {owner}"))
        connection.execute(sa.text(f"alter table feeds owner to {owner}"))
    try:
        migrate.make_roles(engine.url.render_as_string(hide_password=False))
        assert not may_create(engine, "undertow_reader")
        assert may_create(engine, owner)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text(f"reassign owned by {owner} to current_user"))
            connection.execute(sa.text(f"drop owned by {owner}"))
            connection.execute(sa.text(f"drop role {owner}"))
