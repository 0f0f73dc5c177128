"""The desk in a real browser: labelling from the keyboard, a mail's link to its acknowledgement, a bad feed and a good one."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from desk_market import KEY, change, fill, one, settings
from fastapi import FastAPI
from sqlalchemy import Engine

from model.registry import STARTER
from pipeline.desk.app import create_app
from pipeline.notify.links import Links

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="no Chromium on this machine: install it (Debian: chromium) to run the browser tests",
    ),
]
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Harbour Gazette</title><link>http://127.0.0.1/</link>
<item><guid>1</guid><title>Harbour dues rise by a tenth</title><link>http://127.0.0.1/1</link><description>From spring on.</description></item>
</channel></rss>"""


@pytest.fixture(scope="module")
def feed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serves a good feed and a page that is none; gives its port."""
    folder = tmp_path_factory.mktemp("feeds")
    (folder / "good.xml").write_text(FEED)
    (folder / "page.html").write_text("<!doctype html><html><title>No feed</title><p>Nothing.</html>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def desk(module_engine: Engine, feed_server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running desk over a small market."""
    fill(module_engine, stories=1500, days=20)
    own = settings(tmp_path_factory.mktemp("desk"), fetch_allow_private=(f"127.0.0.1:{feed_server}",))
    with serving(create_app(module_engine, own)) as address:
        yield address


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of the app while it is served."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page whose console must stay silent: a refused script or style would speak there."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not [words for words in said if "400 (Bad Request)" not in words]


def test_label_twenty_by_keyboard(desk: str, page: Any, module_engine: Engine) -> None:
    mine = "select count(*) from labels where labelled_by = 'local' and retracted_at is null"
    page.goto(f"{desk}/label")
    root = page.locator("#labeller")
    shown = []
    for number in range(20):
        shown.append(root.get_attribute("data-article"))
        page.keyboard.press("123np0"[number % 6])
        wait_until(lambda last=shown[-1]: root.get_attribute("data-article") != last)
    assert len(set(shown)) == 20
    page.wait_for_function("document.querySelector('.session').textContent.startsWith('20 labelled')")
    wait_until(lambda: one(module_engine, mine) == 20)
    page.keyboard.press("u")
    wait_until(lambda: one(module_engine, mine) == 19)
    assert root.get_attribute("data-article") == shown[-1]
    page.keyboard.press("s")
    wait_until(
        lambda: one(module_engine, "select count(*) from label_queue where 'local' = any(skipped_by)") == 1
    )
    stored = "select sentiment from labels where article_id = :a and labelled_by = 'local' and retracted_at is null"
    verdicts = {
        "1": "negative",
        "2": "neutral",
        "3": "positive",
        "n": "negative",
        "p": "positive",
        "0": "neutral",
    }
    for number, article in enumerate(shown[:19]):
        assert one(module_engine, stored, a=int(article)) == verdicts["123np0"[number % 6]]


def test_undo_takes_back_a_skip_and_a_dispute(desk: str, page: Any, module_engine: Engine) -> None:
    page.goto(f"{desk}/label")
    root = page.locator("#labeller")
    first = root.get_attribute("data-article")
    place = "select reason || array_to_string(skipped_by, ',') from label_queue where article_id = :a"
    before = one(module_engine, place, a=int(first))
    for key in "sd":
        page.keyboard.press(key)
        wait_until(lambda: one(module_engine, place, a=int(first)) != before)
        assert root.get_attribute("data-article") != first
        page.keyboard.press("u")
        wait_until(lambda: one(module_engine, place, a=int(first)) == before)
        assert root.get_attribute("data-article") == first
        assert "Taken back." in page.locator(".session").text_content()


def test_company_by_company(desk: str, page: Any, module_engine: Engine) -> None:
    page.goto(f"{desk}/label")
    page.keyboard.press("c")
    article = page.locator("#labeller").get_attribute("data-article")
    companies = one(module_engine, "select count(*) from mentions where article_id = :a", a=int(article))
    for _ in range(1 + companies):
        assert page.locator("#labeller").get_attribute("data-article") == article
        page.keyboard.press("1")
    said = (
        "select count(*) from labels where article_id = :a and labelled_by = 'local' and target = 'company'"
    )
    wait_until(lambda: one(module_engine, said, a=int(article)) == companies)
    assert page.locator("#labeller").get_attribute("data-article") != article


def test_leaving_asks_while_labels_are_on_their_way(desk: str, page: Any, module_engine: Engine) -> None:
    """On a slow line the page is ahead of what is stored; to close it then would lose the rest without a word."""
    mine = "select count(*) from labels where labelled_by = 'local' and retracted_at is null"
    before = one(module_engine, mine)
    slow = lambda route: (time.sleep(0.5), route.continue_())  # noqa: E731
    page.goto(f"{desk}/label")
    page.route(re.compile(r"/label/\d+$"), slow)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    for key in "123":
        page.keyboard.press(key)
    page.evaluate("setTimeout(() => location.assign('/alerts'))")
    page.wait_for_timeout(3000)  # the driver answers dialogs and routes only while it is waited for
    assert asked == ["beforeunload"]
    assert one(module_engine, mine) == before + 3
    page.goto(f"{desk}/alerts")  # nothing is on its way: no question
    assert asked == ["beforeunload"]


def test_company_is_marked_where_it_stands_behind_an_emoji(
    desk: str, page: Any, module_engine: Engine
) -> None:
    """Places are counted in characters; the browser counts in halves of those beyond the first 65,536."""
    company = one(module_engine, "select min(company_id) from mentions")
    name = one(module_engine, "select name from companies where id = :c", c=company)
    text = f"\U0001f680\U0001f680 to the moon\nBuy {name} now"
    article = one(
        module_engine,
        "select queue.article_id from label_queue as queue join mentions on mentions.article_id = queue.article_id"
        " and company_id = :c where done_at is null order by priority desc, queue.article_id limit 1",
        c=company,
    )
    start = text.index(name)
    change(
        module_engine,
        "update stories set title = 'Moon', text = :t from articles where articles.id = :a and stories.id = articles.story_id",
        t=text,
        a=article,
    )
    change(module_engine, "update label_queue set priority = 9 where article_id = :a", a=article)
    change(
        module_engine,
        "update mentions set spans = cast(:s as jsonb) where article_id = :a and company_id = :c",
        s=f"[[{start}, {start + len(name)}]]",
        a=article,
        c=company,
    )
    change(
        module_engine, "delete from mentions where article_id = :a and company_id <> :c", a=article, c=company
    )
    page.goto(f"{desk}/label?company={company}")
    assert page.locator("#labeller").get_attribute("data-article") == str(article)
    page.keyboard.press("c")
    page.keyboard.press("2")
    assert page.locator(".text mark").all_text_contents() == [name]


def test_from_the_mail_to_acknowledge(desk: str, page: Any, module_engine: Engine) -> None:
    alert = one(module_engine, "select min(id) from alerts where state = 'firing'")
    page.goto(Links(desk, KEY).feedback(alert, "acknowledge", "risk-desk", datetime.now(UTC)))
    assert one(module_engine, "select acknowledged_by from alerts where id = :a", a=alert) is None
    page.get_by_role("button", name="Take this alert").click()
    page.get_by_text("You have taken this alert").wait_for()
    assert one(module_engine, "select acknowledged_by from alerts where id = :a", a=alert) == "risk-desk"
    page.get_by_role("link", name="See the alert").click()
    assert page.get_by_text("Taken by risk-desk").is_visible()


def test_a_bad_feed_and_a_good_one(desk: str, page: Any, feed_server: int, module_engine: Engine) -> None:
    page.goto(f"{desk}/feeds")
    page.get_by_label("Address").fill(f"http://127.0.0.1:{feed_server}/page.html")
    page.get_by_role("button", name="Look at it").click()
    assert page.get_by_role("alert").is_visible()
    page.get_by_label("Address").fill(f"http://127.0.0.1:{feed_server}/good.xml")
    page.get_by_role("button", name="Look at it").click()
    assert page.get_by_role("heading", name="Harbour Gazette").is_visible()
    page.get_by_label("Short name").fill("harbour-gazette")
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("heading", name="harbour-gazette").wait_for()
    assert one(module_engine, "select origin from feeds where name = 'harbour-gazette'") == "desk"


def test_first_page_is_drawn_and_fits_a_phone(desk: str, chromium: Any) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        page = context.new_page()
        for path in ("/", "/series/30", "/stories", "/alerts", "/alerts/1", "/label", "/models", "/feeds"):
            page.goto(desk + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        page.goto(desk + "/")
        page.locator(".chart canvas").first.wait_for()
        assert page.locator(".chart canvas").count() == 2
        context.close()


def test_long_name_of_a_company_fits_a_phone(desk: str, page: Any, module_engine: Engine) -> None:
    company = one(module_engine, "select max(company_id) from mentions")
    name = (
        "The Westphalian Holding for Industry and Manufacturing of North and South Elbia, Limited by Shares"
    )
    change(module_engine, "update companies set name = :n where id = :c", n=name, c=company)
    change(module_engine, "update series set title = :n where company_id = :c", n=name, c=company)
    series = one(module_engine, "select id from series where company_id = :c", c=company)
    page.set_viewport_size({"width": 390, "height": 800})
    for path in (
        "/",
        f"/series/{series}",
        "/series",
        f"/stories?company={company}",
        "/label",
        f"/label?company={company}",
    ):
        page.goto(desk + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_chart_is_read_by_keyboard(desk: str, page: Any) -> None:
    page.goto(f"{desk}/series/30")
    page.locator(".chart canvas").first.wait_for()
    page.locator(".chart").first.focus()
    page.keyboard.press("ArrowLeft")
    before = page.locator(".readout").text_content()
    page.keyboard.press("ArrowLeft")
    wait_until(lambda: page.locator(".readout").text_content() != before)
    page.keyboard.press("Enter")
    page.locator("#then h3").wait_for()


PATHS = (
    "/", "/series", "/series?kind=topic", "/series/30", "/stories", "/stories?q=profit", "/stories/1490", "/alerts", "/alerts/1",
    "/label", "/models", "/models/starter/promote", "/feeds", "/feeds/6", "/nothing",
)  # fmt: skip


@pytest.mark.timeout(900)  # thirty pages; half a minute on an idle machine
def test_axe_finds_nothing_serious(desk: str, chromium: Any) -> None:
    """Every page, light at the width of a desk and dark at that of a phone."""
    pytest.importorskip(
        "axe_playwright_python", reason="axe-playwright-python is not installed (make install)"
    )
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for scheme, width in (("light", 1280), ("dark", 390)):
        # the policy of our pages forbids the script that axe is
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 850}, bypass_csp=True
        )
        page = context.new_page()
        for path in PATHS:
            page.goto(desk + path)
            page.wait_for_load_state("networkidle")
            for violation in Axe().run(page).response["violations"]:
                if violation["impact"] in {"serious", "critical"}:
                    where = [node["html"][:200] for node in violation["nodes"][:3]]
                    found.append((path, scheme, width, violation["id"], where))
        context.close()
    assert not found


def test_hostile_words_run_nowhere(engine: Engine, chromium: Any, tmp_path: Path) -> None:
    """Words that would speak up if a page or one of its scripts took them for markup."""
    fill(engine, stories=300, days=9)
    hostile = "<img src=x onerror=alert(1)></script><script>alert(1)</script>\"'><svg onload=alert(1)>{{7*7}}"
    for statement in (
        "update stories set title = :p, text = :p || text",
        "update articles set title = :p, summary = :p, source = :p, url = 'javascript:alert(1)'",
        "update companies set name = :p || id",
        "update series set title = :p || id, key = :p || id",
        "update feeds set title = :p",
        "update labels set note = :p, labelled_by = :p || id",
        "update alerts set acknowledged_by = :p",
    ):
        change(engine, statement, p=hostile)
    said: list[str] = []
    with serving(create_app(engine, settings(tmp_path))) as address:
        page = chromium.new_page()
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        for path in [*PATHS, "/stories/290", f"/?said={hostile}", f"/stories?q={hostile}"]:
            page.goto(address + path)
            page.wait_for_load_state("networkidle")
        page.goto(address + "/label")
        page.keyboard.press("1")
        page.wait_for_timeout(300)
        page.goto(address + "/series/30")
        page.locator(".chart canvas").first.wait_for()
        page.locator(".chart").first.focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.querySelectorAll('img[src=x], svg[onload]').length") == 0
        page.close()
    assert not said


def test_words_of_a_verdict_come_when_asked(desk: str, page: Any, module_engine: Engine) -> None:
    change(module_engine, "update model_versions set path = :path", path=str(STARTER))
    story = one(module_engine, "select max(story_id) from scores where sentiment = 'negative'")
    page.goto(f"{desk}/stories/{story}")
    assert page.locator(".words-marked").count() == 0
    page.get_by_role("link", name="Which words made it?").click()
    page.locator(".words-marked mark").first.wait_for(timeout=90_000)
    assert (
        page.locator(".words-marked")
        .text_content()
        .startswith(one(module_engine, "select title from stories where id = :s", s=story))
    )


def test_overview_changes_by_itself(desk: str, page: Any, module_engine: Engine) -> None:
    page.goto(desk)
    page.locator(".chart canvas").first.wait_for()
    assert "Something new" not in page.content()
    alert = one(module_engine, "select max(id) from alerts where state = 'firing'")
    series = one(module_engine, "select series_id from alerts where id = :a", a=alert)
    change(module_engine, "update series set title = 'Something new' where id = :s", s=series)
    change(
        module_engine,
        "update alerts set acknowledged_at = now(), acknowledged_by = 'mei' where id = :a",
        a=alert,
    )
    page.get_by_role("link", name="Something new").first.wait_for(timeout=15_000)


def wait_until(true: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)
