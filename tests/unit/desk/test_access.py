"""Visitors, sessions and form tokens, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from starlette import formparsers

from pipeline.desk.app import create_app
from pipeline.desk.edge import BODY_BYTES
from pipeline.desk.pages.feeds import web_feed
from pipeline.desk.sessions import (
    ATTEMPTS,
    ATTEMPTS_OF_ADDRESS,
    LONGEST,
    Attempts,
    Session,
    form_token,
    is_form_token,
    password_mark,
    read_session,
    user_session,
    write_session,
)
from pipeline.desk.visitors import Visitor, host_is_known, is_loopback, visitor_of_proxy, visitor_of_user
from pipeline.errors import UsageError
from pipeline.settings import Settings

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_roles_include_those_before_them() -> None:
    table = {
        role: [Visitor("x", role).may(other) for other in ("reader", "labeller", "operator")]
        for role in ("reader", "labeller", "operator")
    }
    assert table == {
        "reader": [True, False, False],
        "labeller": [True, True, False],
        "operator": [True, True, True],
    }


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
    ("0.0.0.0", False), ("10.0.0.1", False), ("127.0.0.1.evil.example", False), ("", False)])  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(("header", "expected"), [("127.0.0.1:8070", True), ("[::1]:8070", True), ("localhost", True),
    ("desk.bank.example", True), ("DESK.bank.example:443", True), ("evil.example", False), ("127.0.0.1.evil.example:80", False), ("", False)])  # fmt: skip
def test_host_names(header: str, expected: bool) -> None:
    assert host_is_known(header, {"desk.bank.example"}) is expected


def test_proxy_groups_give_the_best_role() -> None:
    headers = {"x-forwarded-user": "ines", "x-forwarded-groups": "undertow-reader,undertow-operator,other"}
    assert visitor_of_proxy(headers) == Visitor("ines", "operator")
    assert visitor_of_proxy({"x-forwarded-user": "tom"}) == Visitor("tom", "reader")
    assert visitor_of_proxy({"x-forwarded-user": " "}) is None
    assert visitor_of_proxy({"x-forwarded-user": "ines\x1b[2J"}) is None
    assert visitor_of_proxy({"x-forwarded-user": "i" * 101}) is None


@pytest.mark.parametrize(("user", "role"), [
    (SimpleNamespace(get_name=lambda: "a", role="ADMIN"), "operator"),
    (SimpleNamespace(get_name=lambda: "a", roles=[SimpleNamespace(name="Viewer"), SimpleNamespace(name="User")]), "labeller"),
    (SimpleNamespace(get_name=lambda: "a", role="somebody"), "reader"),
])  # fmt: skip
def test_airflow_users(user: object, role: str) -> None:
    assert visitor_of_user(user) == Visitor("a", role)


def test_session_is_signed() -> None:
    session = user_session("ines", "a hash", "key one", NOON)
    value = write_session(session, "key one")
    assert read_session(value, "key one", NOON) == session
    assert read_session(value, "key two", NOON) is None
    place = value.rindex(".") + 1  # not the last character: some of its bits are padding
    other = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
    assert read_session(other, "key one", NOON) is None
    assert read_session(None, "key one", NOON) is None


def test_a_session_that_never_lapses_ends_a_week_after_its_login() -> None:
    """The cookie is signed anew with each answer, so that its own age says nothing of the login."""
    value = write_session(user_session("ines", "a hash", "key", NOON), "key")
    assert read_session(value, "key", NOON + LONGEST - timedelta(minutes=1)) is not None
    assert read_session(value, "key", NOON + LONGEST + timedelta(minutes=1)) is None
    nobody = write_session(Session("id"), "key")
    assert read_session(nobody, "key", NOON) == Session("id"), "a form of somebody who needs no login"


def test_a_session_tells_passwords_apart_and_shows_none() -> None:
    mark = user_session("ines", "one hash", "key", NOON).mark
    assert mark == password_mark("one hash", "key")
    assert mark != password_mark("another hash", "key")
    assert mark != password_mark("one hash", "another key")


def test_form_token_belongs_to_a_session() -> None:
    one, other = Session("one"), Session("other")
    assert is_form_token(form_token(one, "key"), one, "key")
    assert not is_form_token(form_token(one, "key"), other, "key")
    assert not is_form_token(None, one, "key")
    assert not is_form_token("é", one, "key")


def test_attempts_are_counted_by_each_key_and_forgotten_in_time() -> None:
    attempts = Attempts()
    for n in range(ATTEMPTS):
        assert attempts.wait_s(("name a", "address x"), NOON) == 0
        attempts.note_failure(("name a", "address x"), NOON + timedelta(seconds=n))
    later = NOON + timedelta(seconds=10)
    assert attempts.wait_s(("name a", "address y"), later) > 280
    assert attempts.wait_s(("name b", "address x"), later) == 0, "an address may be that of many"
    for n in range(ATTEMPTS, ATTEMPTS_OF_ADDRESS):
        attempts.note_failure((f"name {n}", "address x"), NOON + timedelta(seconds=5))
    assert attempts.wait_s(("name b", "address x"), later) > 280
    assert attempts.wait_s(("name b", "address y"), later) == 0
    assert attempts.wait_s(("name a", "address x"), NOON + timedelta(minutes=6)) == 0


def multipart(mb: int) -> Iterator[bytes]:
    yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    yield from [b"x" * 65_536] * (mb * 16)
    yield b"\r\n--B--\r\n"


@pytest.mark.parametrize("path", ["/login", "/feeds/import", "/feedback/x"])
@pytest.mark.parametrize("announced", [True, False])
def test_nobody_fills_the_disk_without_a_login(
    path: str, announced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forms are read, and their files spooled, before anybody is asked who they are."""
    spooled: list[Any] = []
    real = formparsers.SpooledTemporaryFile

    def spool(**given: Any) -> Any:
        spooled.append(real(**given))
        return spooled[-1]

    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", spool)
    app = create_app(_no_database, Settings(home=tmp_path, desk_secret="a key", desk_host="0.0.0.0"))  # type: ignore[arg-type]
    body = list(multipart(3))
    headers = [(b"host", b"desk"), (b"content-type", b"multipart/form-data; boundary=B")]
    if announced:
        headers.append((b"content-length", str(sum(map(len, body))).encode()))
    answer, taken = asyncio.run(_send(app, path, headers, body))
    assert answer["status"] == 413
    assert (b"connection", b"close") in answer["headers"]
    assert taken == 0 if announced else taken < BODY_BYTES + 65_536
    assert all(file.closed for file in spooled)
    small = list(multipart(1))
    assert asyncio.run(_send(app, path, headers[:2], small))[0]["status"] in {400, 401}


async def _send(
    app: Any, path: str, headers: list[tuple[bytes, bytes]], body: list[bytes]
) -> tuple[dict[str, Any], int]:
    """The head of the answer to a POST, and how many bytes of its body were taken."""
    left, said = list(body), []

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": headers, "scheme": "http", "http_version": "1.1", "client": ("10.0.0.9", 1), "server": ("desk", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return said[0], sum(map(len, body)) - sum(map(len, left))


def _no_database() -> Any:
    raise AssertionError("nobody logged in, and the database was asked")


@pytest.mark.parametrize("address", ["http://[::1", "http://[x]/", "http://", "ftp://example.org/feed"])
def test_an_address_that_cannot_be_read_is_no_web_feed(address: str) -> None:
    with pytest.raises(UsageError, match="this is not the address of a web feed"):
        web_feed(address)


@pytest.mark.parametrize("proxies", ["proxy", "10.1.2.3, *", "10.1.2.3/8"])
def test_proxies_are_addresses_and_networks(proxies: str) -> None:
    with pytest.raises(ValidationError, match="write addresses or networks"):
        Settings(desk_tls_proxies=proxies)  # type: ignore[arg-type]
