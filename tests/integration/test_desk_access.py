"""Who may do what: roles, forged requests, links of mails, and a line in the audit for each change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from desk_market import KEY, change, client, fill, form_token, one, post, settings
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from pipeline.desk.app import create_app
from pipeline.notify.links import Links
from pipeline.store.engine import create_engine


@pytest.fixture(scope="module")
def market(module_engine: Engine) -> Engine:
    fill(module_engine, stories=600, days=12)
    return module_engine


@pytest.fixture
def far(market: Engine, tmp_path: Path) -> TestClient:
    """A browser at a desk that listens beyond this machine."""
    return client(market, settings(tmp_path, desk_host="0.0.0.0"))


def counts(engine: Engine) -> dict[str, int]:
    tables = sa.inspect(engine).get_table_names()
    with engine.connect() as connection:
        return {t: connection.execute(sa.text(f'select count(*) from "{t}"')).scalar() or 0 for t in tables}


def _routes_of(app: Any) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in getattr(app, "routes", []):
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            found += _routes_of(inner) if inner is not None else []
    return found


def test_reader_can_write_by_no_route(market: Engine, tmp_path: Path) -> None:
    """Every route that is not GET, with a good form token and plausible fields: refused, and no table changes."""
    browser = client(market, settings(tmp_path), "reader")
    app = create_app(market, settings(tmp_path), user_provider=lambda: None)
    writing = [(r.path, m) for r in _routes_of(app) for m in r.methods or () if m not in {"GET", "HEAD"}]
    assert len(writing) >= 12
    before = counts(market)
    token = form_token(browser)
    fields = {
        "form_token": token, "kind": "useful", "hours": 3, "sentiment": "negative", "reason": "because", "enabled": "false",
        "url": "https://example.org/feed", "name": "x",
    }  # fmt: skip
    for path, method in writing:
        if path.startswith("/feedback/"):
            continue  # the link is its own permission, tested below
        address = path.replace("{version}", "retrained-2").replace("{token}", "x")
        for name in ("alert_id", "article_id", "label_id", "silence_id", "feed_id"):
            address = address.replace(f"{{{name}}}", "1")
        files = {"file": ("a.opml", b"<opml/>")} if path.endswith("/import") else None
        answer = browser.request(method, address, data=fields, files=files)
        assert answer.status_code == 403, (path, answer.status_code, answer.text[:200])
    assert counts(market) == before


def test_labeller_labels_and_does_not_operate(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "labeller")
    article = one(market, "select article_id from label_queue where done_at is null limit 1")
    assert post(browser, f"/label/{article}", sentiment="negative").status_code == 303
    assert (
        one(
            market,
            "select labelled_by from labels where article_id = :a and retracted_at is null order by id desc limit 1",
            a=article,
        )
        == "a labeller"
    )
    assert one(market, "select count(*) from audit_log where actor = 'a labeller' and action = 'label'") == 1
    assert post(browser, "/models/retrained-2/promote", reason="why not").status_code == 403
    assert post(browser, "/alerts/1/silence", hours=4).status_code == 403


def test_operator_acts_and_the_audit_says_so(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "operator")
    alert = one(market, "select max(id) from alerts where state = 'firing'")
    assert post(browser, f"/alerts/{alert}/feedback", kind="acknowledge").status_code == 303
    assert one(market, "select acknowledged_by from alerts where id = :a", a=alert) == "an operator".replace(
        "an ", "a "
    )
    assert post(browser, f"/alerts/{alert}/silence", hours=4, reason="known").status_code == 303
    silence = one(market, "select max(id) from silences")
    assert post(browser, f"/silences/{silence}/lift").status_code == 303
    assert one(market, "select cancelled_at is not null from silences where id = :s", s=silence)
    assert post(browser, "/feeds/2/enable", enabled="false").status_code == 303
    done = "select array_agg(action order by id) from audit_log where actor = 'a operator'"
    assert {"silence", "lift silence", "pause feed"} <= set(one(market, done))


def test_changes_need_the_form_token(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "operator")
    browser.get("/")
    for token in (None, "", "0" * 40, "é"):
        fields = {"enabled": "true"} | ({} if token is None else {"form_token": token})
        assert browser.post("/feeds/3/enable", data=fields).status_code == 400
    other = client(market, settings(tmp_path), "operator")
    stolen = form_token(other)
    assert browser.post("/feeds/3/enable", data={"enabled": "true", "form_token": stolen}).status_code == 400
    mine = form_token(browser)
    forged = browser.post(
        "/feeds/3/enable",
        data={"enabled": "true", "form_token": mine},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert forged.status_code == 403


def test_loopback_desk_needs_no_login_and_knows_its_name(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path))
    assert browser.get("/").status_code == 200
    assert browser.get("/", headers={"Host": "rebound.evil.example"}).status_code == 421
    assert browser.get("/", headers={"Host": "localhost:8070"}).status_code == 200


def test_health_is_open_and_says_no_more_than_that(market: Engine, tmp_path: Path) -> None:
    watched = client(market, settings(tmp_path, desk_host="0.0.0.0")).get("/health")
    assert (watched.status_code, watched.json()) == (200, {"database": "answers"})
    assert "set-cookie" not in watched.headers
    away = create_engine("postgresql://undertow:hidden@127.0.0.1:1/nowhere")
    answer = client(away, settings(tmp_path, desk_host="0.0.0.0")).get("/health")
    assert (answer.status_code, answer.json()) == (503, {"database": "does not answer"})
    assert "set-cookie" not in answer.headers


# ---- the links of mails


def link(kind: str, alert: int, made_at: datetime | None = None) -> str:
    links = Links("", KEY)
    return links.feedback(alert, kind, "risk-desk", made_at or datetime.now(UTC))  # type: ignore[arg-type]


def test_link_shows_on_get_and_does_on_post(market: Engine, far: TestClient) -> None:
    """Nobody is logged in; mail scanners open every link, so that only the button counts."""
    alert = one(market, "select min(id) from alerts")
    address = link("useful", alert)
    before = counts(market)
    for _ in range(3):
        assert "This alert was useful" in far.get(address).text
    assert counts(market) == before
    assert far.post(address).status_code == 400
    assert "Noted" in post(far, address, token_from=address).text
    assert "already" in post(far, address, token_from=address).text
    said = "select count(*) from feedback where alert_id = :a and kind = 'useful' and given_by = 'risk-desk'"
    assert one(market, said, a=alert) == 1


def test_the_page_of_a_link_says_who_has_the_alert(market: Engine, far: TestClient) -> None:
    alert = one(market, "select min(id) from alerts where state = 'firing'")
    address = link("acknowledge", alert)

    def take() -> str:
        return str(post(far, address, token_from=address).text)

    change(
        market, "update alerts set acknowledged_at = now(), acknowledged_by = 'ben' where id = :a", a=alert
    )
    assert "ben has taken this alert already." in take()
    change(market, "update alerts set acknowledged_at = null, acknowledged_by = null where id = :a", a=alert)
    assert "You have taken this alert." in take(), "nobody has it any more, so that asking again takes it"
    assert one(market, "select acknowledged_by from alerts where id = :a", a=alert) == "risk-desk"
    change(market, "update alerts set state = 'resolved' where id = :a", a=alert)
    assert "This alert is over; you had taken it." in take()
    change(market, "update alerts set state = 'firing' where id = :a", a=alert)


def test_the_desk_says_who_has_the_alert(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "labeller")
    alert = one(market, "select max(id) from alerts where state = 'firing'")
    free = "update alerts set acknowledged_at = null, acknowledged_by = null where id = :a"

    def take() -> str:
        done = post(browser, f"/alerts/{alert}/feedback", kind="acknowledge")
        return str(browser.get(done.headers["location"]).text)

    change(market, free, a=alert)
    assert "You have taken this alert." in take()
    change(market, free, a=alert)
    assert 'aria-pressed="true">Acknowledge' not in browser.get(f"/alerts/{alert}").text
    assert "You have taken this alert." in take()
    change(market, "update alerts set acknowledged_by = 'ben' where id = :a", a=alert)
    assert "ben has taken this alert already." in take()


def test_forged_and_expired_links(market: Engine, far: TestClient) -> None:
    good = link("noise", 1)
    assert "not one of ours" in far.get(good[:-2] + "xx").text
    old = link("noise", 1, datetime.now(UTC) - timedelta(days=30))
    assert "expired" in far.get(old).text
    assert post(far, old, token_from="/login").status_code == 400
    other = Links("", "another key").feedback(1, "noise", "risk-desk", datetime.now(UTC))
    assert post(far, other, token_from="/login").status_code == 400


# ---- labels


def test_label_again_undo_skip_and_dispute(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "labeller")
    json = {"Accept": "application/json"}
    token = form_token(browser)
    first, second, third = [item["article_id"] for item in browser.get("/label/next").json()[:3]]

    def send(path: str, **fields: Any) -> Any:
        return browser.post(path, data={**fields, "form_token": token}, headers=json)

    made = send(f"/label/{first}", sentiment="positive").json()["label_id"]
    again = send(f"/label/{first}", sentiment="negative").json()["label_id"]
    standing = "select count(*) from labels where article_id = :a and labelled_by = 'a labeller' and retracted_at is null"
    assert made != again
    assert one(market, standing, a=first) == 1
    assert send(f"/labels/{again}/retract").json() == {"retracted": True}
    assert send(f"/labels/{again}/retract").json() == {"retracted": False}
    assert first in [item["article_id"] for item in browser.get("/label/next").json()]
    send(f"/label/{second}/skip")
    send(f"/label/{third}/dispute")
    mine = [item["article_id"] for item in browser.get("/label/next").json()]
    assert not {second, third} & set(mine)
    others = client(market, settings(tmp_path), "operator").get("/label/next").json()
    assert others[0]["article_id"] == third
    change(
        market,
        "insert into frozen_articles (article_id, set_name, frozen_at) values (:a, 'test', now())",
        a=second,
    )
    assert send(f"/label/{second}", sentiment="neutral").status_code == 400
    assert send(f"/label/{10**15}", sentiment="neutral").status_code == 400


def test_a_skip_and_a_dispute_are_taken_back(market: Engine, tmp_path: Path) -> None:
    browser = client(market, settings(tmp_path), "labeller")
    other = client(market, settings(tmp_path), "operator")
    json = {"Accept": "application/json"}

    def send(who: TestClient, path: str, **fields: Any) -> Any:
        token = form_token(who)
        return who.post(path, data={**fields, "form_token": token}, headers=json).json()

    def place(article: int) -> Any:
        with market.connect() as connection:
            return connection.execute(
                sa.text(
                    "select reason, priority, done_at, skipped_by from label_queue where article_id = :a"
                ),
                {"a": article},
            ).one_or_none()

    def waiting() -> list[int]:
        return [item["article_id"] for item in browser.get("/label/next").json()]

    skipped, disputed, answered, twice = waiting()[:4]
    before = {article: place(article) for article in (skipped, disputed, answered, twice)}
    assert browser.post(f"/label/{skipped}/unskip").status_code == 400
    assert send(browser, f"/label/{skipped}/unskip") == {"retracted": False}
    send(browser, f"/label/{skipped}/skip")
    assert send(browser, f"/label/{skipped}/unskip") == {"retracted": True}
    assert place(skipped) == before[skipped]

    send(browser, f"/label/{disputed}/dispute")
    send(browser, f"/label/{disputed}/dispute")  # a second press changes nothing
    assert disputed not in waiting()
    assert send(other, f"/label/{disputed}/undispute") == {"retracted": False}
    send(other, f"/label/{disputed}/skip")
    assert send(browser, f"/label/{disputed}/undispute") == {"retracted": True}
    assert place(disputed) == (*before[disputed][:3], [*before[disputed][3], "a operator"])
    assert {skipped, disputed} <= set(waiting())
    assert send(browser, f"/label/{disputed}/undispute") == {"retracted": False}

    send(browser, f"/label/{answered}/dispute")
    send(other, f"/label/{answered}", sentiment="negative")
    send(browser, f"/label/{answered}/undispute")
    assert place(answered)[0] == before[answered][0]
    assert place(answered)[2] is not None, "somebody answered meanwhile"

    send(browser, f"/label/{twice}/dispute")
    send(other, f"/label/{twice}/dispute")
    assert send(browser, f"/label/{twice}/undispute") == {"retracted": False}, "another asked since"
    assert twice in waiting()
    assert send(other, f"/label/{twice}/undispute") == {"retracted": True}
    assert place(twice).reason == "disputed"

    new = one(market, "select max(id) from articles where id not in (select article_id from label_queue)")
    send(browser, f"/label/{new}/dispute")
    assert send(browser, f"/label/{new}/undispute") == {"retracted": True}
    assert place(new) is None
    done = "select array_agg(distinct action) from audit_log where actor = 'a labeller' and action like 'take back%'"
    assert one(market, done) == ["take back dispute", "take back skip"]
