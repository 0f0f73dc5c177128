"""Database addresses as people write them: a password is in no message and in no list of processes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import ConfigurationError, UndertowError, redact
from pipeline.settings import Settings
from pipeline.store import ask, backup
from pipeline.store.engine import create_engine, database_errors

# what can be read, where it leads, and the password it holds
READABLE = [
    ("postgresql://u:ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "ssWORD1"),
    ("postgres://u:ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "ssWORD1"),
    ("postgresql+psycopg2://u:ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "ssWORD1"),
    ("postgresql://u:pa%2F%40ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "pa/@ssWORD1"),
    ("postgresql://u:pa/ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "pa/ssWORD1"),
    ("postgresql://u:pa?ssWORD1@127.0.0.1:1/db", "u@127.0.0.1:1/db", "pa?ssWORD1"),
    ("postgresql://127.0.0.1:1/db?user=u&password=ssWORD1", "u@127.0.0.1:1/db", "ssWORD1"),
    ("postgresql://u:other@127.0.0.1:1/db?password=pa@ssWORD1", "u@127.0.0.1:1/db", "pa@ssWORD1"),
    ("postgresql://u@server:ssWORD1@127.0.0.1:1/db", "u@server@127.0.0.1:1/db", "ssWORD1"),
    ("postgresql:///db?host=127.0.0.1&port=1&user=u&password=ssWORD1", "u@127.0.0.1:1/db", "ssWORD1"),
    ("postgresql://u:ssWORD1@/db?host=127.0.0.1:1&host=127.0.0.1:2", "u@127.0.0.1,127.0.0.1:1,2/db", "ssWORD1"),
]  # fmt: skip
# what cannot: most of these hold a password with characters that must be written otherwise
UNREADABLE = [
    "ssWORD1",
    "mysql://u:ssWORD1@h/db",
    "postgresql://u:p@ssWORD1@127.0.0.1:1/db",
    "postgresql://u:p@ss/WORD1@127.0.0.1:1/db",
    "postgresql://u:p@ss?WORD1@127.0.0.1:1/db",
    "postgresql://u:p@ss:WORD1@127.0.0.1:1/db",
    "postgresql://u/ssWORD1:p@127.0.0.1:1/db",
    "postgresql://u:ssWORD1@127.0.0.1:1x/db",
    "postgresql://127.0.0.1:1/db?pass=ssWORD1",
    "postgresql://u:ssWORD1@/db?host=a&host=b&port=1&port=2&port=3",
]


@pytest.mark.parametrize(("url", "place", "password"), READABLE)
def test_a_database_that_is_away_is_named_without_its_password(url: str, place: str, password: str) -> None:
    engine = create_engine(url)
    with pytest.raises(UndertowError) as caught, database_errors(engine), engine.connect():
        pass
    assert f"the database at {place} " in str(caught.value)
    assert "WORD1" not in str(caught.value)
    assert "WORD1" not in redact(repr(engine.url))
    assert engine.dialect.create_connect_args(engine.url)[1]["password"] == password


@pytest.mark.parametrize("url", UNREADABLE)
def test_an_address_that_cannot_be_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_engine(url)
    assert "WORD1" not in str(caught.value)
    assert caught.value.__cause__ is None, "a traceback in a log would show what could not be read"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Arguments and environment of each program that was started instead of run."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], env: dict[str, str], **_: Any) -> Any:
        seen.append((command, env))
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", start)
    monkeypatch.setattr(ask.migrate, "check", lambda url: "")
    return seen


@pytest.mark.parametrize(("url", "place", "password"), READABLE)
def test_programs_of_postgres_get_the_password_as_a_variable(
    url: str, place: str, password: str, started: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, database_url=url)  # type: ignore[arg-type]
    ask.open_psql(settings)
    backup._run("pg_dump", url)
    assert len(started) == 2
    for command, environment in started:
        assert "WORD1" not in " ".join(command)
        assert "dbname=db" in command[-1]
        assert environment["PGPASSWORD"] == password


@pytest.mark.parametrize("text", [
    "at postgresql://u:p@ssWORD1@h/db", "at https://u:ssWORD1@h/feed", "at postgresql://h/db?user=u&password=ssWORD1",
])  # fmt: skip
def test_addresses_in_messages_lose_their_passwords(text: str) -> None:
    assert "WORD1" not in redact(text)
    assert redact("see https://example.org/a, ask me@example.org") == (
        "see https://example.org/a, ask me@example.org"
    )


@pytest.mark.parametrize(("text", "shown"), [
    ("https://host:443?email=a@b.c failed", "https://host:443?email=a@b.c failed"),
    ("https://host?email=a@b.c failed", "https://host?email=a@b.c failed"),
    ("https://host#a@b.c failed", "https://host#a@b.c failed"),
    ("https://host/a?at=12:30&email=a@b.c", "https://host/a?at=12:30&email=a@b.c"),
    ("https://u:p@ss@host?email=a@b.c", "https://***@host?email=a@b.c"),
    ("https://u:p?ss@host/feed", "https://***@host/feed"),
    ("https://u:p#ss@host/feed", "https://***@host/feed"),
    ("https://[::1]:443?email=a@b.c", "https://[::1]:443?email=a@b.c"),
    ("redis://:p?ss@host/0", "redis://***@host/0"),
    ("smtp://user:2024#ss@mail.host", "smtp://***@mail.host"),
    ("mailtos://user:1234?ss@mail.host", "mailtos://***@mail.host"),
    ("postgresql://u:p?s@s@host/db", "postgresql://***@host/db"),
    ("postgresql+psycopg2://1:2?s@s@host/db", "postgresql+psycopg2://***@host/db"),
    ("postgres://u:p#ss@host/db", "postgres://***@host/db"),
])  # fmt: skip
def test_addresses_in_messages_keep_their_host_and_what_is_no_password(text: str, shown: str) -> None:
    assert redact(text) == shown
