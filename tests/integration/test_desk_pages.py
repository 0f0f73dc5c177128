"""Every page over a made-up market and over an empty database; what people write there is escaped; what is exported is safe."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import newsroom
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from desk_market import change, client, fill, one, post, settings
from fastapi.testclient import TestClient
from lxml import html
from newsroom import add_articles, add_feed
from sqlalchemy import Engine

from model.registry import STARTER
from pipeline.desk.explaining import LONGEST_TEXT, Explainer, Spans
from pipeline.store import desk_series, desk_stories
from pipeline.store.desk_stories import StoryFilter

PAGES = (
    "/", "/parts/overview", "/series", "/series?kind=topic", "/series?kind=sector", "/stories", "/stories?q=profit",
    "/stories?sentiment=negative&company=3", "/stories?topic=earnings", "/stories?sector=Banks&source=Quill+Markets",
    "/stories?since=2026-01-01T00:00&until=&as_of=", "/alerts", "/alerts?severity=critical", "/label", "/models",
    "/models/starter/promote", "/feeds", "/feeds.opml",
)  # fmt: skip


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


# ---- hostile words

PAYLOADS = [
    "<script>alert(1)</script>", "\"><script>alert(1)</script>", "'><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<img src=x onerror=alert(1)//>", "</title><script>alert(1)</script>", "</script><script>alert(1)</script>", "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>", "javascript:alert(1)", "{{ 7*7 }}", "{% import os %}", "${7*7}", "<%= 7*7 %>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>", "<body onload=alert(1)>", "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>", "<style>*{x:expression(alert(1))}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<object data=javascript:alert(1)>", "<embed src=javascript:alert(1)>", "<form action=//evil.example><button>x</button></form>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "\u202e<script>alert(1)</script>", "<scr\x0bipt>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>", "<script\n>alert(1)</script\n>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<template><script>alert(1)</script></template>",
    "<marquee onstart=alert(1)>", "<select onchange=alert(1)><option>", "<textarea autofocus onfocus=alert(1)>", "<keygen autofocus onfocus=alert(1)>",
    "-->\"'<!--<img src=x onerror=alert(1)>", "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->", "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
]  # fmt: skip


class EveryWord(Explainer):
    """Explains without a model: every word pulls."""

    def explain(self, model: Path | None, text: str, spans: Spans | None) -> list[tuple[int, int, float]]:
        self.asked = spans
        return [(*found.span(), 0.1) for found in re.finditer(r"\S+", text[:LONGEST_TEXT])]


def test_hostile_words_do_nothing(engine: Engine, tmp_path: Path) -> None:
    """Forty payloads as titles, texts, outlets, companies, reasons, labels and notes: none becomes an element or attribute."""
    fill(engine, stories=200, days=9)
    for number, payload in enumerate(PAYLOADS, start=1):
        change(
            engine,
            "update stories set title = :p, text = :p || ' ' || text where id = (select max(id) - :n from stories)",
            p=payload,
            n=number,
        )
        change(
            engine, "update companies set name = :p where id = :n", p=f"{payload} {number}", n=1 + number % 24
        )
        change(
            engine,
            "update labels set labelled_by = :p, note = :p where id = (select min(id) + :n from labels)",
            p=payload,
            n=number,
        )
    assert len(PAYLOADS) >= 40
    everywhere = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    for statement in (
        "update articles set source = :p, title = :p, summary = :p, url = 'javascript:alert(1)', author = :p",
        "update series set title = :p || id, key = :p || id",
        "update feeds set title = :p, url = 'javascript:alert(1)//' || id",
        "update feed_states set error_class = :p, error_message = :p, next_due_reason = :p",
        "update alerts set acknowledged_by = :p, cause = :p",
        "update alerts set evidence = jsonb_set(evidence, '{stories}', jsonb_build_array(jsonb_build_object("
        "'title', cast(:p as text), 'url', 'javascript:alert(1)', 'source', cast(:p as text), 'quote', cast(:p as text)))) where evidence <> '{}'",
        "update model_alias_events set reason = :p, set_by = :p",
        "update retrainings set reasons = jsonb_build_array(cast(:p as text))",
        "update drift_reports set subject = :p || id, detail = jsonb_build_object('cause', cast(:p as text))",
    ):
        change(engine, statement, p=everywhere)
    change(engine, "update model_versions set path = :path", path=str(STARTER))
    browser = client(engine, settings(tmp_path))
    browser.app.state.desk.explainer = EveryWord()  # type: ignore[attr-defined]
    top = one(engine, "select max(id) from stories")
    alert = one(engine, "select max(id) from alerts")
    singles = [f"/stories/{top - n}" for n in range(1, len(PAYLOADS) + 1)]
    singles += [f"{path}/words" for path in singles]
    change(engine, "update alerts set inhibited_by = :n where id < :n", n=alert)
    singles += [
        f"/alerts/{alert}",
        "/series/30",
        "/feeds/6",
        "/label/next",
        f"/stories?q={everywhere}",
        f"/?said={everywhere}",
    ]
    for path in [*PAGES, *singles]:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        if "json" in answer.headers["content-type"]:
            continue
        text = re.sub(r'<script type="application/json" id="items">[^<]*</script>', "", answer.text)
        allowed = r'<script src="/static/[\w./-]+" defer>'
        assert not re.search(r"<script", re.sub(allowed, "", text), re.I), path
        assert not re.search(
            r"<(img(?! src=\"/static)|iframe|object|embed|base|style|math|body o|video|template|marquee)",
            text,
            re.I,
        ), path
        assert not re.search(r'(href|src|action)="\s*javascript:', text, re.I), path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "49" not in re.findall(r"<h1>(.*?)</h1>", text), path


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


def test_as_of_lists_stories_by_what_the_champion_of_then_said_of_them(engine: Engine) -> None:
    """Not by the topics, companies and sectors that another version found later."""
    then = newsroom.NOW
    champion = newsroom.add_model(engine, "champion")
    other = newsroom.add_model(engine, "other", champion=False)
    [article] = newsroom.add_articles(engine, newsroom.add_feed(engine), ["Kestrel falls\nText"])
    newsroom.score(engine, champion, article, (0.9, 0.05, 0.05), at=then - timedelta(hours=1))
    newsroom.score(engine, other, article, (0.1, 0.8, 0.1), topic="layoffs", at=then + timedelta(days=3))
    found = {
        model: newsroom.add_company(engine, f"found by {model}", ticker=f"T{model}")
        for model in (champion, other)
    }
    for model, company in found.items():
        change(engine, "update companies set sector = name where id = :c", c=company)
        change(
            engine,
            "insert into score_companies select story_id, model_version_id, :c, negative, neutral, positive, sentiment"
            " from scores where model_version_id = :m",
            c=company,
            m=model,
        )

    def listed(**filters: Any) -> int:
        wanted = StoryFilter(as_of=then, **filters)
        with engine.connect() as connection:
            return len(desk_stories.stories(connection, wanted, now=then, limit=10)[0])

    mine = {"topic": "markets", "company_id": found[champion], "sector": f"found by {champion}"}
    others = {"topic": "layoffs", "company_id": found[other], "sector": f"found by {other}"}
    assert [listed(**{name: value}) for name, value in mine.items()] == [1, 1, 1]
    assert [listed(**{name: value}) for name, value in others.items()] == [0, 0, 0]
    assert listed(topic="markets", company_id=found[champion]) == 1
    assert listed(topic="layoffs", company_id=found[champion]) == 0


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


def test_usual_number_of_stories_is_that_of_the_days_there_are(engine: Engine) -> None:
    """In its first week the line has fewer than seven days before: divided by seven, every day looked like a surge."""
    newsroom.add_model(engine, "m1", at=datetime(2026, 1, 1, tzinfo=UTC))
    midnight = datetime(2026, 5, 4, tzinfo=UTC)
    change(
        engine, "insert into series (kind, key, title, created_at) values ('all', 'all', 'Everything', now())"
    )
    for days_ago in (3, 2, 1):
        for minutes in (60, 1440):
            change(
                engine,
                "insert into sentiment_rollups (span_minutes, series_id, model_version_id, start_at, negative, neutral, positive,"
                " score_sum, score_squares) select :minutes, series.id, version.id, :at, 5, 5, 0, 0, 0"
                " from series, model_versions as version",
                minutes=minutes,
                at=midnight - timedelta(days=days_ago),
            )
    with engine.connect() as connection:
        usual = [
            desk_series.series_summary(connection, ["all"], midnight - timedelta(hours=hours))[0][
                "usual_stories"
            ]
            for hours in (0, 24, 36)
        ]
    assert usual == [10, 10, None]  # of two days, of one, of half a day


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
