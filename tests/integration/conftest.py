"""A real PostgreSQL: one server and one migrated template for the session, a fresh copy for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from command_line import Done, Undertow
from notify_sinks import MailSink, SlackSink
from sqlalchemy import Engine

from pipeline.cli import main
from pipeline.store import migrate
from pipeline.store.engine import create_engine
from pipeline.store.server import DATABASE, Server

TEMPLATE = "template_undertow"
# A test database need not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def fast() -> dict[str, str]:
    """Server settings for a test that starts a server of its own."""
    return FAST


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded server of this test session (0.6 s to start), with the migrated template in it."""
    server = Server(tmp_path_factory.mktemp("postgres"), settings=FAST).start()
    server.ensure_database(TEMPLATE)
    migrate.upgrade(server.url(TEMPLATE))
    yield server
    server.stop()


def _fresh(server: Server) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    server.copy_database(TEMPLATE, name)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """URL of a migrated database that only this test uses."""
    yield from _fresh(server)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Engine on a migrated database that only this test uses."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def mail() -> Iterator[MailSink]:
    """A mail server on loopback that keeps what it receives."""
    with MailSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    """A Slack-shaped server on loopback."""
    with SlackSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def module_database_url(server: Server) -> Iterator[str]:
    """URL of a migrated database that the tests of one module share."""
    yield from _fresh(server)


@pytest.fixture(scope="module")
def module_engine(module_database_url: str) -> Iterator[Engine]:
    """Engine on a migrated database that the tests of one module share."""
    engine = create_engine(module_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def undertow(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Undertow:
    """The command line in this process, as its entry point runs it: a second less than a process each."""

    def call(*words: str, **settings: str) -> Done:
        for name, value in settings.items():
            monkeypatch.setenv(f"UNDERTOW_{name}", value)
        monkeypatch.setattr("sys.argv", ["undertow", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        for name in settings:
            monkeypatch.delenv(f"UNDERTOW_{name}")
        return Done(int(ended.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, fast: dict[str, str]) -> Iterator[str]:
    """A home whose embedded database is migrated."""
    home = tmp_path_factory.mktemp("home")
    server = Server(home / "postgres", settings=fast).start()
    server.ensure_database(DATABASE)
    migrate.upgrade(server.url(DATABASE))
    yield str(home)
    server.stop()
