"""Migrations: idempotent, whole or not at all, and nobody queues behind them for long."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from alembic.script import ScriptDirectory

from pipeline.errors import DatabaseError, DatabaseUnavailable, SchemaTooNew, SchemaTooOld, WrongCredentials
from pipeline.store import migrate
from pipeline.store.server import Server


@pytest.fixture
def sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(migrate.SQL, copy)
    monkeypatch.setattr(migrate, "SQL", copy)
    return copy


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    server.ensure_database("empty")
    yield server.url("empty")
    server.drop_database("empty")


def connect(url: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(url.replace("+psycopg2", ""))


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_every_migration_has_a_revision_that_names_it() -> None:
    files = sorted(path.name[:4] for path in (migrate.SQL / "migrations").glob("*.sql"))
    scripts = ScriptDirectory.from_config(migrate._config()).walk_revisions()
    assert sorted(script.revision for script in scripts) == files
    assert files == [f"{number:04}" for number in range(1, len(files) + 1)]


def test_an_empty_database_is_brought_to_the_head_once(empty_url: str) -> None:
    first, second = migrate.upgrade(empty_url), migrate.upgrade(empty_url)
    assert (first.before, first.after, first.changed) == (None, migrate.head(), True)
    assert (second.before, second.changed) == (migrate.head(), False)
    assert migrate.check(empty_url) == migrate.head()


def test_two_at_once_migrate_once(empty_url: str) -> None:
    reports: list[migrate.Report] = []
    threads = [threading.Thread(target=lambda: reports.append(migrate.upgrade(empty_url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.changed for report in reports) == [False, True]


def test_a_newer_schema_is_refused_with_its_number(database_url: str) -> None:
    execute(database_url, "update alembic_version set version_num = '9999'")
    for refuse in (migrate.check, migrate.upgrade):
        with pytest.raises(SchemaTooNew, match="9999, newer than this code"):
            refuse(database_url)


def test_an_older_schema_names_the_command(database_url: str, empty_url: str) -> None:
    execute(database_url, "update alembic_version set version_num = '0001'")
    with pytest.raises(SchemaTooOld, match=r"is at schema 0001.*undertow db migrate"):
        migrate.check(database_url)
    with pytest.raises(SchemaTooOld, match="has no schema yet"):
        migrate.check(empty_url)


def test_views_are_made_anew_when_a_file_changes(database_url: str, sql: Path) -> None:
    view = sql / "views" / "zz_probe.sql"
    view.write_text("create view analytics.probe as select 1 as n, '100%' as share;")
    assert migrate.upgrade(database_url).changed
    view.write_text("create view analytics.probe as select 'text' as n;")  # `create or replace` could not
    assert migrate.upgrade(database_url).changed
    assert execute(database_url, "select n from analytics.probe") == [("text",)]
    assert not migrate.upgrade(database_url).changed


def test_a_broken_file_leaves_the_old_schema_whole(database_url: str, sql: Path) -> None:
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select 1 as n;")
    migrate.upgrade(database_url)
    (sql / "views" / "zz_probe.sql").write_text("select 1;\nselect nothing_of_the_kind;")
    with pytest.raises(DatabaseError, match=r"zz_probe.sql, line 2: column .* does not exist"):
        migrate.upgrade(database_url)
    assert execute(database_url, "select n from analytics.probe") == [(1,)]


def test_a_reader_of_a_view_delays_the_migration_but_no_writer(
    database_url: str, sql: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 100)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_S", 0.1)
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select name from feeds;")
    migrate.upgrade(database_url)
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select url from feeds;")
    with closing(connect(database_url)) as reader, reader.cursor() as cursor:
        cursor.execute("select * from analytics.probe")  # its transaction stays open
        migration = threading.Thread(target=migrate.upgrade, args=(database_url,))
        migration.start()
        slowest = _slowest_write_s(database_url, writes=10)
        assert migration.is_alive()
        reader.rollback()
        migration.join(timeout=10)
    assert slowest < 0.5
    assert execute(database_url, "select url from analytics.probe limit 1")


def _slowest_write_s(url: str, writes: int) -> float:
    slowest = 0.0
    for number in range(writes):
        began = time.monotonic()
        execute(
            url, f"insert into feeds (name, url, added_at) values ('f{number}', 'http://f/{number}', now())"
        )
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_a_lock_that_is_never_given_ends_with_advice(
    database_url: str, sql: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 20)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_S", 0.0)
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select name from feeds;")
    migrate.upgrade(database_url)
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select url from feeds;")
    with closing(connect(database_url)) as reader, reader.cursor() as cursor:
        cursor.execute("select * from analytics.probe")
        with pytest.raises(DatabaseError, match="long query"):
            migrate.upgrade(database_url)


def test_views_of_others_are_never_dropped(database_url: str, sql: Path) -> None:
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select 1 as n;")
    migrate.upgrade(database_url)
    execute(database_url, "create view public.mine as select * from analytics.probe")
    (sql / "views" / "zz_probe.sql").write_text("create view analytics.probe as select 2 as n;")
    with pytest.raises(DatabaseError, match=r"public\.mine"):
        migrate.upgrade(database_url)
    assert execute(database_url, "select n from public.mine") == [(1,)]


def test_wrong_addresses_are_told_apart_without_the_password(database_url: str) -> None:
    base, _, name = database_url.rpartition("/")
    secret = base.split(":")[2].split("@")[0]
    for url, kind in (
        (database_url.replace(secret, "wrong-secret"), WrongCredentials),
        (f"{base}/no_such_database", DatabaseUnavailable),
        (f"postgresql://postgres:wrong-secret@127.0.0.1:1/{name}", DatabaseUnavailable),
    ):
        with pytest.raises(kind) as error:
            migrate.check(url)
        assert "wrong-secret" not in str(error.value)
        assert secret not in str(error.value)
        assert "\n" not in str(error.value)
        assert "\t" not in str(error.value)
