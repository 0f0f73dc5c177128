"""Coming in and staying: logins, the limits on guessing, and when a session ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from desk_market import change, client, fill, form_token, one, post, settings
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from pipeline.desk.serve import serve_desk
from pipeline.desk.sessions import (
    ATTEMPTS,
    ATTEMPTS_OF_ADDRESS,
    COOKIE,
    Session,
    hash_password,
    write_session,
)
from pipeline.errors import ConfigurationError
from pipeline.store.desk_access import put_user

PASSWORD = "correct horse battery"
GATEWAY = "172.18.0.1"  # where a TLS proxy's connections come from


@pytest.fixture(scope="module")
def market(module_engine: Engine) -> Engine:
    fill(module_engine, stories=60, days=12)
    for role in ("reader", "labeller", "operator"):
        give_password(module_engine, f"the {role}", role)
    return module_engine


@pytest.fixture
def far(market: Engine, tmp_path: Path) -> TestClient:
    """A browser at a desk that listens beyond this machine."""
    return client(market, settings(tmp_path, desk_host="0.0.0.0"))


def give_password(engine: Engine, name: str, role: str, password: str = PASSWORD) -> None:
    with engine.begin() as connection:
        put_user(connection, name, hash_password(password), role, datetime.now(UTC))


def log_in(browser: TestClient, name: str, password: str = PASSWORD, **more: Any) -> Any:
    return post(browser, "/login", token_from="/login", name=name, password=password, **more)


def test_login_leads_to_what_was_asked_for_with_its_filter(far: TestClient) -> None:
    asked = "/stories?q=profit+%26+loss&sentiment=negative"
    (wanted,) = parse_qs(urlsplit(far.get(asked).headers["location"]).query)["next"]
    assert wanted == asked
    assert log_in(far, "the reader", next=wanted).headers["location"] == asked
    far.cookies.clear()
    for letters in (2000, 4000):  # what no form would bring back is left out
        wanted = parse_qs(urlsplit(far.get(f"/stories?q={letters * 'x'}").headers["location"]).query)["next"][
            0
        ]
        assert log_in(far, "the reader", next=wanted).status_code == 303
        far.cookies.clear()


def test_button_pressed_after_the_session_ended_is_answered_with_a_page(far: TestClient) -> None:
    """Not with JSON: that is for programs, as the page that labels."""
    log_in(far, "the labeller")
    token = form_token(far, "/alerts/1")
    far.cookies.clear()
    fields = {"kind": "acknowledge", "form_token": token}
    answer = far.post("/alerts/1/feedback", data=fields, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "Nothing was changed" in answer.text
    answer = far.post("/label/1", data=fields, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()) == (401, {"error": "log in first"})


def test_far_desk_needs_a_login(market: Engine, far: TestClient) -> None:
    answer = far.get("/stories")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/stories")
    assert far.get("/api/v1/pulse").status_code == 401
    assert far.get("/export/alerts.csv", headers={"Accept": "application/json"}).status_code == 401
    assert log_in(far, "the reader", "wrong password").status_code == 401
    assert far.get("/").status_code == 303
    entered = log_in(far, "the reader", next="/alerts")
    assert (entered.status_code, entered.headers["location"]) == (303, "/alerts")
    assert far.get("/").status_code == 200
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert post(far, "/logout").status_code == 303
    assert far.get("/").status_code == 303


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_login_leads_nowhere_else(far: TestClient, where: str) -> None:
    assert log_in(far, "the reader", next=where).headers["location"] == "/"


def test_guessing_is_slowed(market: Engine, far: TestClient) -> None:
    answers = [log_in(far, "the operator", f"guess number {n}").status_code for n in range(6)]
    assert answers == [401] * 5 + [429]
    last = log_in(far, "the operator")
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) > 0
    assert one(market, "select count(*) from audit_log where action = 'failed login'") >= 5


def test_a_login_that_works_forgets_the_slips_before_it(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path, desk_host="0.0.0.0"))
    for _ in range(2):
        slips = [log_in(browser, "the reader", "a slip").status_code for _ in range(ATTEMPTS - 1)]
        assert slips == [401] * (ATTEMPTS - 1)
        assert log_in(browser, "the reader").status_code == 303
        browser.cookies.clear()


def test_unknown_name_takes_as_long_as_a_wrong_password(far: TestClient) -> None:
    def took(name: str) -> float:
        token = form_token(far, "/login")
        start = time.perf_counter()
        far.post("/login", data={"name": name, "password": "wrong password", "form_token": token})
        return time.perf_counter() - start

    took("nobody")
    known, unknown = took("the labeller"), took("nobody at all")
    assert unknown > known / 4


def test_sessions_end(market: Engine, far: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(far, "the labeller")
    assert far.get("/").status_code == 200
    change(market, "update users set disabled_at = now() where name = 'the labeller'")
    assert far.get("/").status_code == 303
    change(market, "update users set disabled_at = null where name = 'the labeller'")
    assert far.get("/").status_code == 200
    far.cookies.clear()
    far.cookies.set(COOKIE, write_session(Session("x", "the operator"), "another key"))
    assert far.get("/").status_code == 303
    far.cookies.clear()
    with monkeypatch.context() as patched:
        real = time.time
        patched.setattr(time, "time", lambda: real() - timedelta(hours=13).total_seconds())
        log_in(far, "the operator")
    assert far.get("/").status_code == 303


def test_a_copy_of_the_cookie_is_worth_nothing_after_logout_and_after_a_new_password(
    market: Engine, far: TestClient, tmp_path: Path
) -> None:
    def copy_of(browser: TestClient) -> TestClient:
        thief = client(market, browser.app.state.desk.settings)  # type: ignore[attr-defined]
        thief.cookies.update(browser.cookies)
        return thief

    log_in(far, "the operator")
    thief = copy_of(far)
    assert thief.get("/feeds").status_code == 200
    assert post(far, "/logout").status_code == 303
    assert (thief.get("/feeds").status_code, thief.get("/api/v1/pulse").status_code) == (303, 401)
    assert thief.get("/feeds").headers["location"] == "/login?next=/feeds"

    log_in(far, "the operator")
    thief = copy_of(far)
    assert thief.get("/feeds").status_code == 200
    give_password(market, "the operator", "operator", "another horse battery")
    assert [browser.get("/feeds").status_code for browser in (thief, far)] == [303, 303]
    assert log_in(far, "the operator", "another horse battery").status_code == 303
    assert far.get("/feeds").status_code == 200
    give_password(market, "the operator", "operator")


def test_ended_sessions_are_forgotten_once_their_cookie_would_have_expired(
    market: Engine, far: TestClient
) -> None:
    change(market, "insert into ended_sessions values ('old', now() - interval '8 days'), ('new', now())")
    log_in(far, "the reader")
    post(far, "/logout")
    assert one(market, "select count(*) from ended_sessions where id = 'old'") == 0
    assert one(market, "select count(*) from ended_sessions where id = 'new'") == 1


def test_somebody_else_who_guesses_locks_nobody_out(market: Engine, tmp_path: Path) -> None:
    """Behind a proxy whose word does not count all have its address."""
    behind = client(market, settings(tmp_path, desk_host="0.0.0.0"), client=(GATEWAY, 4000))
    guesses = [log_in(behind, f"guessed {n}", "wrong password").status_code for n in range(6)]
    assert guesses == [401] * 6
    assert log_in(behind, "the reader").status_code == 303


def test_guesses_count_for_the_address_that_a_named_proxy_gives(
    market: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.desk.sessions.ATTEMPTS_OF_ADDRESS", 3)
    set_up = settings(tmp_path, desk_host="0.0.0.0", desk_tls_proxies="172.18.0.0/16")

    def came(name: str, password: str, forwarded: str, peer: str = GATEWAY) -> int:
        browser.headers["X-Forwarded-For"] = forwarded
        browser._transport.client = (peer, 4000)  # type: ignore[attr-defined]
        return int(log_in(browser, name, password).status_code)

    browser = client(market, set_up, client=(GATEWAY, 4000))
    guesses = [came(f"guessed {n}", "wrong password", "6.6.6.6") for n in range(4)]
    assert guesses == [401] * 3 + [429]
    assert came("the reader", PASSWORD, "9.9.9.9, 6.6.6.6") == 429, "what the client itself says"
    assert came("the reader", PASSWORD, "9.9.9.9") == 303
    assert (
        one(market, "select target from audit_log where action = 'login' order by id desc limit 1")
        == "9.9.9.9"
    )
    assert came("the reader", PASSWORD, "9.9.9.9", peer="6.6.6.6") == 429, "a stranger's word does not count"
    assert ATTEMPTS_OF_ADDRESS > 3


def test_cookies_are_for_tls_where_the_desk_is_reached_by_it(market: Engine, tmp_path: Path) -> None:
    """The proxy takes TLS off, so that the desk itself sees plain HTTP."""
    plain = client(market, settings(tmp_path, desk_host="0.0.0.0")).get("/login")
    assert "secure" not in plain.headers["set-cookie"].lower()
    promised = settings(tmp_path, desk_host="0.0.0.0", desk_url="https://desk.example.org")
    named = settings(tmp_path, desk_host="0.0.0.0", desk_tls_proxies=GATEWAY)
    for set_up in (promised, named):
        browser = client(market, set_up, client=(GATEWAY, 4000))
        headers = {"Host": "Desk.example.org:443", "X-Forwarded-Proto": "https"}
        answer = browser.get("/login", headers=headers)
        assert "; secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" not in answer.headers, "it would bind every port of that host"
    stranger = client(market, named, client=("10.9.9.9", 4000))
    lied = stranger.get("/login", headers={"X-Forwarded-Proto": "https"})
    assert "secure" not in lied.headers["set-cookie"].lower()


def test_one_logs_in_over_plain_http_beside_the_address_that_is_for_tls(
    market: Engine, tmp_path: Path
) -> None:
    """By the address of the machine, where a browser would keep no cookie that is for TLS only."""
    promised = settings(tmp_path, desk_host="0.0.0.0", desk_url="https://desk.example.org")
    beside = client(market, promised, base_url="http://10.0.0.5:8070", client=("10.0.0.9", 4000))
    assert log_in(beside, "the reader").status_code == 303
    assert beside.get("/feeds").status_code == 200


@pytest.mark.parametrize("more", [
    {"desk_url": "https://desk.example", "desk_tls_proxies": "127.0.0.1"},
    {"desk_tls_proxies": "10.1.2.3"},
    {"desk_url": "https://127.0.0.1:8443"},
    {"desk_url": "http://desk.example"},
])  # fmt: skip
def test_behind_a_proxy_on_the_same_machine_nobody_comes_in_without_a_password(
    market: Engine, tmp_path: Path, more: dict[str, str]
) -> None:
    """Whoever comes through it comes from this machine, as the desk sees it."""
    behind = client(market, settings(tmp_path, **more))
    host = urlsplit(more.get("desk_url", "")).hostname or "127.0.0.1"
    behind.headers |= {"Host": host, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    assert behind.get("/feeds").status_code == 303
    assert behind.get("/api/v1/pulse").status_code == 401
    behind.base_url = f"https://{host}"
    assert log_in(behind, "the reader").status_code == 303
    assert ">the reader<" in behind.get("/feeds").text


def test_who_comes_from_elsewhere_to_a_desk_on_loopback_logs_in(market: Engine, tmp_path: Path) -> None:
    assert client(market, settings(tmp_path)).get("/feeds").status_code == 200
    assert client(market, settings(tmp_path), client=("203.0.113.9", 4000)).get("/feeds").status_code == 303


@pytest.mark.parametrize(("more", "said"), [
    ({"desk_host": "0.0.0.0"}, "would listen on 0.0.0.0"),
    ({"desk_url": "https://desk.example"}, "is reached through a proxy"),
    ({"desk_tls_proxies": "127.0.0.1"}, "is reached through a proxy"),
])  # fmt: skip
def test_the_desk_does_not_start_where_nobody_could_come_in(
    engine: Engine, tmp_path: Path, more: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **more: None)
    with pytest.raises(ConfigurationError, match=said) as caught:
        serve_desk(engine, settings(tmp_path, **more), say=print)
    assert "undertow desk user add" in caught.value.advice


def test_an_open_page_keeps_no_session_alive(market: Engine, far: TestClient) -> None:
    log_in(far, "the labeller")
    assert COOKIE in far.get("/").cookies
    assert COOKIE not in far.get("/parts/overview").cookies


def test_trusted_proxy_names_the_user(market: Engine, tmp_path: Path) -> None:
    behind = settings(tmp_path, desk_host="0.0.0.0", desk_trusted_proxy="10.1.2.3")
    headers = {"X-Forwarded-User": "ines", "X-Forwarded-Groups": "staff, undertow-labeller"}
    trusted = client(market, behind, client=("10.1.2.3", 4000))
    page = trusted.get("/label", headers=headers)
    assert page.status_code == 200
    assert ">ines<" in page.text
    assert 'data-may="yes"' in page.text
    assert trusted.get("/label").status_code == 303
    assert 'data-may=""' in trusted.get("/label", headers={"X-Forwarded-User": "tom"}).text
    stranger = client(market, behind, client=("10.9.9.9", 4000))
    assert stranger.get("/", headers=headers).status_code == 303


def test_a_trusted_proxy_is_known_by_its_own_address(market: Engine, tmp_path: Path) -> None:
    """Also where its X-Forwarded-For is believed; and nobody becomes it by writing its address there."""
    behind = settings(
        tmp_path, desk_host="0.0.0.0", desk_trusted_proxy="10.1.2.3", desk_tls_proxies=f"10.1.2.3,{GATEWAY}"
    )
    headers = {"X-Forwarded-User": "ines", "X-Forwarded-For": "9.9.9.9"}
    trusted = client(market, behind, client=("10.1.2.3", 4000))
    assert trusted.get("/label", headers=headers).status_code == 200
    other = client(market, behind, client=(GATEWAY, 4000))
    assert other.get("/label", headers={**headers, "X-Forwarded-For": "10.1.2.3"}).status_code == 303
