"""Every page over a made-up market and over an empty database, and the files and figures that it gives away."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from desk_market import PAGES, EveryWord, change, client, fill, one, post, settings
from fastapi.testclient import TestClient
from lxml import html
from newsroom import add_articles, add_feed
from sqlalchemy import Engine

from model.registry import STARTER
from pipeline.store import desk_series


@pytest.fixture(scope="module")
def market(module_engine: Engine) -> Engine:
    fill(module_engine)
    return module_engine


@pytest.fixture
def browser(market: Engine, tmp_path: Path) -> TestClient:
    return client(market, settings(tmp_path))


@pytest.mark.parametrize("path", PAGES)
def test_page_of_a_market(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text[:500]


def test_pages_of_an_empty_database_say_what_to_do(engine: Engine, tmp_path: Path) -> None:
    browser = client(engine, settings(tmp_path))
    for path in PAGES:
        answer = browser.get(path)
        if path == "/models/starter/promote":
            assert answer.status_code == 404
            continue
        assert answer.status_code == 200, answer.text[:500]
        if path in {"/", "/series", "/stories", "/alerts", "/label", "/models", "/feeds"}:
            assert re.search(r"<code>(undertow|make|feeds)", answer.text), f"{path} names no next command"


def test_pages_of_single_things(market: Engine, browser: TestClient) -> None:
    story = one(market, "select max(id) from stories")
    company = one(market, "select id from series where company_id = 7")
    alert = one(market, "select max(id) from alerts")
    for path in (
        f"/stories/{story}", f"/stories/{story}/similar", f"/series/{company}?range=7d", f"/alerts/{alert}",
        f"/alerts/{alert}/chart", f"/series/{company}/scores", "/feeds/6",
        f"/series/{company}/stories?at={datetime.now(UTC):%Y-%m-%d}T00:00:00Z",
    ):  # fmt: skip
        assert browser.get(path).status_code == 200, path
    for path in ("/stories/999999999", "/series/999999", "/alerts/999999", "/feeds/999", "/nothing"):
        assert browser.get(path).status_code == 404, path


def test_story_of_many_copies_says_how_many_it_shows(engine: Engine, tmp_path: Path) -> None:
    feed = add_feed(engine)
    article, *others = add_articles(engine, feed, [f"Orvex earns {number} million" for number in range(231)])
    browser = client(engine, settings(tmp_path))
    shown = "the first 200 are shown"
    story = one(engine, "select story_id from articles where id = :a", a=article)
    assert shown not in browser.get(f"/stories/{story}").text
    change(engine, "update articles set story_id = :s where id = any(:o)", s=story, o=others)
    change(engine, "update stories set copies = 231 where id = :s", s=story)
    assert shown in browser.get(f"/stories/{story}").text


def test_words_of_a_verdict(market: Engine, browser: TestClient) -> None:
    story = one(market, "select max(story_id) from scores")
    missing = browser.get(f"/stories/{story}/words")
    assert missing.status_code == 200
    assert "bring them back" in missing.text  # the files of the market's champion are nowhere
    change(market, "update model_versions set path = :path", path=str(STARTER))
    explainer = browser.app.state.desk.explainer = EveryWord()  # type: ignore[attr-defined]
    text = browser.get(f"/stories/{story}/words").text
    assert explainer.asked is None
    title = one(market, "select title from stories where id = :s", s=story)
    assert all(f">{word}</mark>" in text for word in title.replace("'", "&#39;").split())
    company = one(
        market,
        "select company_id from mentions where in_title and article_id ="
        " (select first_article_id from stories where id = :s)",
        s=story,
    )
    name = one(market, "select name from companies where id = :c", c=company)
    assert f"for {name} " in browser.get(f"/stories/{story}/words?company={company}").text
    assert browser.get(f"/stories/{story}/words?company=999").status_code == 404
    change(
        market,
        "update mentions set spans = '[[0, 2], [4, 9]]' where company_id = :c and article_id ="
        " (select first_article_id from stories where id = :s)",
        c=company,
        s=story,
    )
    browser.get(f"/stories/{story}/words?company={company}")
    assert explainer.asked == ((0, 2), (4, 9))  # all its names, as the verdict was made


def test_models_show_calibration_on_labels_the_champion_did_not_see(
    market: Engine, browser: TestClient
) -> None:
    counted = one(
        market,
        "select count(*) from labels join articles on articles.id = labels.article_id"
        " join scores on scores.story_id = articles.story_id and scores.model_version_id = 2"
        " where labels.labelled_at >= (select created_at from model_versions where id = 2)"
        " and queue_reason in ('random', 'uncertain') and retracted_at is null and target = 'story'",
    )
    assert counted > 20
    text = browser.get("/models").text
    assert f"on {counted} labels it was not trained on" in text
    assert 'class="reliability"' in text
    seen = (
        "select {}(id) from labels where labelled_at >= (select created_at from model_versions where id = 2)"
    )
    change(market, f"update labels set queue_reason = 'suspect' where id = ({seen.format('min')})")
    change(market, f"update labels set retracted_at = now() where id = ({seen.format('max')})")
    assert f"on {counted - 2} labels" in browser.get("/models").text


def test_overview_parts_answer_304_until_something_changes(market: Engine, browser: TestClient) -> None:
    first = browser.get("/parts/overview")
    ask = {"If-None-Match": first.headers["etag"]}
    again = browser.get("/parts/overview", headers=ask)
    if again.status_code != 304:  # a minute began between the two
        ask = {"If-None-Match": again.headers["etag"]}
        again = browser.get("/parts/overview", headers=ask)
    assert (again.status_code, again.content) == (304, b"")
    change(
        market,
        "update alerts set acknowledged_at = now() where id = (select max(id) from alerts where state = 'firing')",
    )
    changed = browser.get("/parts/overview", headers=ask)
    assert changed.status_code == 200
    assert changed.headers["etag"] != ask["If-None-Match"]
    change(market, "update alerts set acknowledged_at = null where state = 'firing'")


def test_overview_shows_what_is_open(browser: TestClient, market: Engine) -> None:
    text = browser.get("/").text
    assert text.count('class="alert-card critical"') == one(
        market, "select count(*) from alerts where state = 'firing'"
    )
    assert "2 in trouble" in text
    assert "retrained-1" in text


def test_first_page_is_light(browser: TestClient) -> None:
    """Under 300 kB with style, scripts and letters, apart from the chart library."""
    page = browser.get("/").text
    files = [name for name in re.findall(r'(?:href|src)="(/static/[^"]+)"', page) if "uplot" not in name]
    size = len(page) + sum(
        len(browser.get(name).content) for name in {*files, "/static/vendor/inter-latin.woff2"}
    )
    assert size < 300_000


def test_everything_comes_from_our_own_host(browser: TestClient) -> None:
    for path in PAGES:
        text = browser.get(path).text
        assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)="(https?:)?//', text), path
        assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|style=", text), path


def test_links_follow_where_the_desk_is_mounted(market: Engine, tmp_path: Path) -> None:
    from fastapi import FastAPI

    from pipeline.desk.app import create_app
    from pipeline.desk.visitors import Visitor

    outer = FastAPI()
    desk = create_app(
        lambda: market, settings(tmp_path), mounted=True, user_provider=lambda: Visitor("ann", "operator")
    )
    outer.mount("/desk", desk)
    browser = TestClient(outer)
    for path in ("/desk/", "/desk/stories", "/desk/alerts", "/desk/label", "/desk/models", "/desk/feeds"):
        answer = browser.get(path)
        assert answer.status_code == 200
        local = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
        assert local
        assert all(link.startswith("/desk/") for link in local), [
            x for x in local if not x.startswith("/desk/")
        ]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert browser.get("/desk/static/desk.css").status_code == 200
    assert browser.get("/desk/login").status_code == 404


# ---- exports


def test_csv_is_no_formula(market: Engine, browser: TestClient) -> None:
    change(
        market,
        "update stories set title = '=HYPERLINK(\"http://evil.example\")' where id = (select max(id) from stories)",
    )
    change(market, "update stories set title = '+1+1' where id = (select max(id) - 1 from stories)")
    change(market, "update stories set title = '@SUM(A1)' where id = (select max(id) - 2 from stories)")
    for path in ("/export/stories.csv", "/export/scored_stories.csv"):
        rows = list(csv.DictReader(io.StringIO(browser.get(path).text)))
        assert len(rows) > 1000
        titles = [row["title"] for row in rows]
        assert not [title for title in titles if title.startswith(("=", "+", "-", "@", "\t"))]
        assert '\'=HYPERLINK("http://evil.example")' in titles


def test_exports_of_every_view(browser: TestClient) -> None:
    from pipeline.store.analytics import VIEWS

    for view in VIEWS:
        lines = list(csv.reader(io.StringIO(browser.get(f"/export/{view}.csv?limit=20").text)))
        answer = browser.get(f"/export/{view}.parquet?limit=20")
        assert answer.status_code == 200, view
        table = pq.read_table(io.BytesIO(answer.content))
        assert table.column_names == lines[0]
        assert table.num_rows == len(lines) - 1
    assert browser.get("/export/users.csv").status_code == 400


def test_export_of_a_filter_is_what_is_seen(browser: TestClient) -> None:
    rows = list(
        csv.DictReader(io.StringIO(browser.get("/export/stories.csv?sentiment=negative&company=3").text))
    )
    assert rows
    assert {row["sentiment"] for row in rows} == {"negative"}


def test_bounded_files_say_so_beside_their_links(browser: TestClient) -> None:
    """Shares counted in a file that ends in the middle would be of its newest part only."""
    assert "newest 5\u202f000 at most" in browser.get("/stories").text
    assert "newest 100\u202f000 rows at most" in browser.get("/series").text


# ---- API


def test_paging_by_cursor_sees_each_story_once(browser: TestClient, market: Engine) -> None:
    seen, after = [], None
    while True:
        query = {"limit": 40, "company": 2} | ({"after": after} if after else {})
        page = browser.get("/api/v1/stories", params=query).json()
        seen += [story["id"] for story in page["items"]]
        after = page["next"]
        if after is None:
            break
    expected = one(market, "select count(distinct story_id) from score_companies where company_id = 2")
    assert len(seen) == len(set(seen)) == expected > 100


def test_as_of_shows_what_was_known_then(browser: TestClient, market: Engine) -> None:
    moment = datetime.now(UTC) - timedelta(days=5)
    page = browser.get("/api/v1/stories", params={"as_of": moment.isoformat(), "limit": 200}).json()
    assert page["items"]
    for story in page["items"]:
        assert datetime.fromisoformat(story["available_at"]) <= moment
        assert story["scored_at"] is None or datetime.fromisoformat(story["scored_at"]) <= moment


def test_summary_of_whole_days_and_hours_equals_that_of_hours(market: Engine) -> None:
    hours = sa.text(
        "select series_id, coalesce(sum(stories) filter (where start_at >= :day_ago), 0) as stories,"
        " sum(stories) filter (where start_at < :day_ago) / 7.0 as usual,"
        " sum(positive - negative) filter (where start_at < :day_ago)::double precision"
        " / sum(stories) filter (where start_at < :day_ago) as before from analytics.sentiment_hourly"
        " where start_at >= cast(:day_ago as timestamptz) - interval '7 days' and start_at < :until group by series_id"
    )
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with market.connect() as connection:
        for until in (datetime.now(UTC), midnight, midnight - timedelta(hours=7, minutes=20)):
            day_ago = until - timedelta(hours=24)
            expected = {
                row.series_id: row for row in connection.execute(hours, {"day_ago": day_ago, "until": until})
            }
            found = desk_series.series_summary(connection, ["all", "topic", "sector", "company"], until)
            assert sum(row["stories"] for row in found) == sum(row.stories for row in expected.values()) > 100
            for row in found:
                counted = expected.get(row["id"])
                assert row["stories"] == (counted.stories if counted else 0)
                assert row["index_before"] == pytest.approx(counted.before if counted else None)
                if counted and counted.usual is not None:
                    assert row["usual_stories"] == pytest.approx(float(counted.usual))
            company = next(row for row in found if row["kind"] == "company")
            assert desk_series.series_summary(connection, ["company"], until, series_id=company["id"]) == [
                company
            ]


def test_chart_counts_are_the_analysts(browser: TestClient, market: Engine) -> None:
    series = one(market, "select id from series where kind = 'all'")
    chart = browser.get(f"/api/v1/series/{series}/chart?range=30d").json()
    counted = one(
        market,
        "select sum(stories) from analytics.sentiment_daily where kind = 'all' and start_at >= to_timestamp(:at)",
        at=chart["at"][0],
    )
    assert sum(chart["negative"]) + sum(chart["neutral"]) + sum(chart["positive"]) == counted
    assert (
        len({len(column) for name, column in chart.items() if isinstance(column, list) and name != "alerts"})
        == 1
    )


def test_feed_is_looked_at_before_it_is_added(market: Engine, tmp_path: Path) -> None:
    """A private address is refused with its reason, and nothing is stored."""
    browser = client(market, settings(tmp_path))
    answer = post(browser, "/feeds/check", url="http://127.0.0.1:9/feed.xml")
    assert answer.status_code == 400
    assert any(word in answer.text.lower() for word in ("private", "public", "address"))
    assert post(browser, "/feeds/add", url="http://127.0.0.1:9/feed.xml", name="bad").status_code == 400
    for address in ("file:///etc/passwd", "http://[::1", "http://[x]/"):
        for answer in (post(browser, f"/feeds/{what}", url=address, name="bad") for what in ("check", "add")):
            assert answer.status_code == 400
            assert "this is not the address of a web feed" in answer.text.lower()
    assert one(market, "select count(*) from feeds where name = 'bad'") == 0


def test_an_alert_lists_those_it_stands_for(engine: Engine, tmp_path: Path) -> None:
    fill(engine, stories=300, days=10)
    first, carrier = (one(engine, f"select {which}(id) from alerts") for which in ("min", "max"))
    assert first < carrier
    change(engine, "update alerts set inhibited_by = :n where id = :first", n=carrier, first=first)
    title = one(
        engine, f"select title from series where id = (select series_id from alerts where id = {first})"
    )
    browser = client(engine, settings(tmp_path))
    page = html.fromstring(browser.get(f"/alerts/{carrier}").text)
    [link] = page.xpath(f"//section[h2='Stands for']//a[contains(@href, '/alerts/{first}')]")
    assert link.text == title
    folded = browser.get(f"/api/v1/alerts/{carrier}").json()["stands_for"]
    assert [(row["id"], row["title"]) for row in folded] == [(first, title)]
    assert browser.get(f"/api/v1/alerts/{first}").json()["stands_for"] == []
