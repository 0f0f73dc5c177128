"""Visitors, sessions and form tokens, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from pipeline.desk.pages.feeds import web_feed
from pipeline.desk.sessions import (
    ATTEMPTS,
    Attempts,
    Session,
    form_token,
    is_form_token,
    read_session,
    write_session,
)
from pipeline.desk.visitors import Visitor, host_is_known, is_loopback, visitor_of_proxy, visitor_of_user
from pipeline.errors import UsageError

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


@pytest.mark.parametrize(("user", "role"), [
    (SimpleNamespace(get_name=lambda: "a", role="ADMIN"), "operator"),
    (SimpleNamespace(get_name=lambda: "a", roles=[SimpleNamespace(name="Viewer"), SimpleNamespace(name="User")]), "labeller"),
    (SimpleNamespace(get_name=lambda: "a", role="somebody"), "reader"),
])  # fmt: skip
def test_airflow_users(user: object, role: str) -> None:
    assert visitor_of_user(user) == Visitor("a", role)


def test_session_is_signed() -> None:
    value = write_session(Session("id", "ines"), "key one")
    assert read_session(value, "key one") == Session("id", "ines")
    assert read_session(value, "key two") is None
    place = value.rindex(".") + 1  # not the last character: some of its bits are padding
    other = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
    assert read_session(other, "key one") is None
    assert read_session(None, "key one") is None


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
    assert attempts.wait_s(("name b", "address x"), later) > 280
    assert attempts.wait_s(("name b", "address y"), later) == 0
    assert attempts.wait_s(("name a", "address x"), NOON + timedelta(minutes=6)) == 0


@pytest.mark.parametrize("address", ["http://[::1", "http://[x]/", "http://", "ftp://example.org/feed"])
def test_an_address_that_cannot_be_read_is_no_web_feed(address: str) -> None:
    with pytest.raises(UsageError, match="this is not the address of a web feed"):
        web_feed(address)
