"""What reaches the tables: articles, revisions, stories, imports; poison, kills, health."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ingest_server import FeedServer, feed_server, item, rss
from sqlalchemy.engine import Engine

from pipeline import run
from pipeline.desk import doors
from pipeline.errors import InputFileError, UsageError
from pipeline.ingest import archive, group, importing, polling, step
from pipeline.ingest.articles import Draft
from pipeline.settings import Settings
from pipeline.store import articles, feeds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = Settings(
    fetch_allow_private=("127.0.0.0/8",), parse_processes=1, operator_receiver="ops", _env_file=None
)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def wire() -> Iterator[FeedServer]:
    with feed_server() as wire_server:
        yield wire_server


def add(engine: Engine, wire: FeedServer, name: str, body: bytes, **options: Any) -> int:
    wire.replies[f"/{name}"] = (200, {}, body)
    with engine.begin() as connection:
        return feeds.save_feed(
            connection, {"name": name, "url": wire.url(f"/{name}"), **options}, NOW, origin="desk"
        )


def poll(engine: Engine, *ids: int, hours: float = 0) -> Any:
    return step.ingest_feeds(engine, ids, settings=SETTINGS, as_of=NOW + timedelta(hours=hours))


def query(engine: Engine, text: str, **parameters: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(text), parameters))


def test_an_article_lives_through_edits_corrections_and_copies(
    engine: Engine, wire: FeedServer, tmp_path: Path
) -> None:
    (tmp_path / "companies.toml").write_text(
        '[[companies]]\nname = "Acme"\nticker = "ACME"\nsector = "Industrials"\n'
    )
    step.sync_companies(engine, tmp_path / "companies.toml", as_of=NOW)
    title, text = (
        "Acme profit fell 12% in the third quarter",
        "Acme said its quarterly profit fell 12% as demand for engines slowed in Europe and Asia.",
    )
    first = add(engine, wire, "wire", rss(item(1, title, text)))
    second = add(
        engine, wire, "paper", rss(item(9, f"UPDATE 1-{title}", f"LONDON - {text}")), title="The Paper"
    )
    report = poll(engine, first, second)
    assert (report.new, report.stories, report.copies, report.mentions) == (2, 1, 1, 2)
    (story,) = query(engine, "select * from stories")
    assert (story.copies, story.sources) == (2, 2)
    assert story.text == f"{story.title}\n{text}" or story.text.endswith(text)
    assert query(engine, "select company_id, in_title, hits from mentions order by article_id")[0][1:] == (
        True,
        2,
    )
    assert [row.novelty_7d for row in query(engine, "select * from story_novelties")] == [1.0]
    assert len(query(engine, "select * from score_queue")) == 1

    wire.replies["/wire"] = (
        200,
        {},
        rss(item(1, f"CORRECTED-{title.replace('fell', 'rose')}", text.replace("fell", "rose"))),
    )
    report = poll(engine, first, hours=1)
    assert (report.new, report.revised, report.stories) == (0, 1, 0)
    (article,) = query(engine, "select * from articles where feed_id = :id", id=first)
    assert (article.revision, article.corrected, article.title[:9]) == (2, True, "CORRECTED")
    revisions = query(
        engine,
        "select revision, title, is_correction from article_revisions where article_id = :id order by 1",
        id=article.id,
    )
    assert [(row.revision, row.is_correction) for row in revisions] == [(1, False), (2, True)]
    assert query(engine, "select text from stories") == [
        (story.text,)
    ]  # what was scored stays as it was seen

    follow_up = item(
        2,
        "Acme names new chief after profit slump",
        "Acme named a new chief executive on Tuesday, a day after its profit fell 12%.",
    )
    wire.replies["/wire"] = (200, {}, rss(follow_up))
    assert poll(engine, first, hours=2).stories == 1
    shares = query(engine, "select novelty_12h from story_novelties order by story_id desc limit 1")
    assert 0 < shares[0][0] <= 1


def test_news_dated_by_midnight_counts_live_all_day(engine: Engine, wire: FeedServer) -> None:
    towns = {"Lyon": 23, "Oslo": 22, "Turin": 3}
    body = rss(
        *[
            item(
                town,
                f"A factory burns down in {town}",
                f"In {town} {day} people fled.",
                f"{day:02} Nov 2026 00:00:00 GMT",
            )
            for town, day in towns.items()
        ]
    )
    report = poll(engine, add(engine, wire, "days", body))
    assert report.new == 3
    found = query(engine, "select published_at, date_status, event_at, backfilled from articles order by id")
    assert [row.date_status for row in found] == ["date_only"] * 3
    assert [row.backfilled for row in found] == [False, True, True]
    assert [row.event_at for row in found] == [NOW, found[1].published_at, found[2].published_at]
    assert query(engine, "select backfilled from stories order by first_article_id") == [
        (False,),
        (True,),
        (True,),
    ]
    assert query(engine, "select bad_dates from feed_fetches") == [(0,)]


def test_running_twice_changes_nothing(engine: Engine, wire: FeedServer) -> None:
    ids = [
        add(
            engine,
            wire,
            f"twice{n}",
            rss(*[item(f"{n}-{k}", f"Subject {n} number {k} of the day in town {k}") for k in range(5)]),
        )
        for n in range(2)
    ]
    poll(engine, *ids)
    tables = (
        "articles",
        "article_revisions",
        "article_aliases",
        "stories",
        "mentions",
        "story_keys",
        "score_queue",
    )
    before = {
        table: query(engine, f"select md5(string_agg(t::text, '|' order by t::text)) from {table} t")
        for table in tables
    }
    wire.replies["/twice0"] = (200, {}, wire.replies["/twice0"][2] + b" ")  # type: ignore[index]  # parsed again
    report = poll(engine, *ids, hours=1)
    assert (report.seen, report.unchanged, report.new) == (5, 5, 0)
    assert {
        table: query(engine, f"select md5(string_agg(t::text, '|' order by t::text)) from {table} t")
        for table in tables
    } == before


def draft(n: int, **changes: Any) -> Draft:
    key = n.to_bytes(16, "big")
    fields: dict[str, Any] = {
        "item_key": key, "reused_key": key, "content_hash": key, "aliases": (("guid", key),), "guid": str(n), "url": None,
        "url_key": None, "source": "s", "title": f"Title {n}", "summary": "", "body": None, "author": None, "categories": ("a", "b"),
        "language": "en", "language_p": 1.0, "published_raw": None, "published_at": None, "tz_source": "none",
        "date_status": "missing", "flags": (),
    }  # fmt: skip
    return Draft(**(fields | changes))


def test_a_poison_row_costs_itself_only(engine: Engine) -> None:
    with engine.begin() as connection:
        feed_id = feeds.import_feed(connection, "poison", NOW)
        rows = [draft(n) for n in range(1_000)]
        rows[377].title = "nul \x00 inside"
        rows[700].date_status = "no such status"
        new = [articles.NewArticle(feed_id, row.item_key, row, NOW) for row in rows]
        ids, refused = articles.insert_articles(connection, new)
    assert len(ids) == 998
    assert {article.draft.guid for article, _ in refused} == {"377", "700"}
    assert all(reason for _, reason in refused)
    assert query(engine, "select count(*) from articles where categories = '{a,b}'") == [(998,)]


def test_sql_in_a_title_lands_verbatim(engine: Engine, wire: FeedServer) -> None:
    feed = add(engine, wire, "sql", rss(item(1, "'); drop table articles; -- %s :name ${x}")))
    poll(engine, feed)
    assert query(engine, "select title from articles")[0][0] == "'); drop table articles; -- %s :name ${x}"


def test_one_feed_cannot_take_the_ids_of_another(engine: Engine, wire: FeedServer) -> None:
    one = add(engine, wire, "own1", rss(item(1, "First outlet reports on harbour works in Hull")))
    other = add(engine, wire, "own2", rss(item(1, "Second outlet writes about a bakery in Lyon")))
    assert poll(engine, one, other).new == 2


def write_archive(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for n in range(rows):
            at = (NOW - timedelta(days=30) + timedelta(minutes=n % 977)).isoformat()
            file.write(
                json.dumps(
                    {
                        "title": f"Archive item {n} on topic {n * 7919 % 1000}",
                        "text": f"Body {n} " * 8,
                        "source": f"S{n % 3}",
                        "published_at": at,
                    }
                )
                + "\n"
            )
        file.write("not json\n\n")
        file.write(json.dumps({"title": "Dated by day", "published_at": "2026-10-01"}) + "\n")


def test_an_archive_comes_in_as_history_once(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "archive.jsonl"
    write_archive(path, 300)
    report = step.import_articles(engine, path, settings=SETTINGS, as_of=NOW)
    assert (report.rows, report.new, report.rejected, report.outlets) == (302, 301, 1, 4)
    assert report.stories + report.copies == 301
    assert query(
        engine,
        "select count(*) from articles where not backfilled or available_at > :now or story_id is null",
        now=NOW,
    ) == [(0,)]
    (dated,) = query(engine, "select * from articles where title = 'Dated by day'")
    assert (dated.published_at, dated.date_status, dated.available_at) == (
        None,
        "date_only",
        datetime(2026, 10, 1, 23, 59, 59, tzinfo=UTC),
    )
    again = step.import_articles(engine, path, settings=SETTINGS, as_of=NOW)
    assert (again.new, again.unchanged, again.stories) == (0, 301, 0)
    polls = query(engine, "select outcome, seen, new from feed_fetches")
    assert {row.outcome for row in polls} == {"imported"}


def test_csv_and_parquet_archives(engine: Engine, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "a.csv").write_text(
        'headline,body,publisher,date,extra\n"Rates, again",They rose,Paper,2026-11-01T10:00:00Z,x\n,,Paper,2026-11-01,y\n'
    )
    pyarrow.parquet.write_table(
        pyarrow.table({"text": ["Only a text here\nand more of it", "Another"], "timestamp": [NOW, None]}),
        tmp_path / "b.parquet",
    )
    csv_report = step.import_articles(engine, tmp_path / "a.csv", settings=SETTINGS, as_of=NOW)
    assert (csv_report.new, csv_report.rejected) == (1, 1)
    assert step.import_articles(engine, tmp_path / "b.parquet", settings=SETTINGS, as_of=NOW).new == 2
    titles = query(engine, "select title, summary from articles order by id")
    assert titles[0] == ("Rates, again", "They rose")
    assert ("Only a text here", "and more of it") in titles


def odd_parquet(path: Path, kind: str) -> None:
    """Two rows, of which the second, or the zone of both, is nothing that Python can hold."""
    import pyarrow as pa
    import pyarrow.parquet

    second = int(NOW.timestamp())
    texts = pa.array(["Good text", "Odd text"])
    if kind == "letters":
        ends = b"".join(end.to_bytes(4, "little") for end in (0, 9, 17))
        texts = pa.Array.from_buffers(
            pa.string(), 2, [None, pa.py_buffer(ends), pa.py_buffer(b"Good textOdd\xfftext")]
        )
    columns = {
        "letters": ([second * 10**6] * 2, pa.int64(), pa.timestamp("us", "UTC")),
        "moment": ([second * 10**6, 2**62], pa.int64(), pa.timestamp("us")),
        "day": ([second // 86_400, 2**31 - 1], pa.int32(), pa.date32()),
        "zone": ([second * 10**6] * 2, pa.int64(), pa.timestamp("us", "Mars/Olympus")),
    }
    numbers, held, meant = columns[kind]
    table = pa.table({"text": texts, "date": pa.array(numbers, held).cast(meant)})
    pyarrow.parquet.write_table(table, path)


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        ("letters", ("Odd\N{REPLACEMENT CHARACTER}text", NOW, "ok")),
        ("moment", ("Odd text", None, "missing")),
        ("day", ("Odd text", None, "missing")),
        ("zone", ("Odd text", NOW, "ok")),
    ],
)
def test_an_odd_cell_of_a_parquet_archive_costs_no_other_cell(
    engine: Engine, tmp_path: Path, kind: str, odd: tuple[str, datetime | None, str]
) -> None:
    odd_parquet(tmp_path / "a.parquet", kind)
    report = step.import_articles(engine, tmp_path / "a.parquet", settings=SETTINGS, as_of=NOW)
    assert (report.rows, report.new) == (2, 2)
    found = query(engine, "select title, published_at, date_status from articles order by title")
    good = ("Good text", None, "date_only") if kind == "day" else ("Good text", NOW, "ok")
    assert [tuple(row) for row in found] == [good, odd]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "x,y\n1,2\n"),
        ("a.parquet", "no parquet"),
        ("a.txt", "x"),
        ("a.jsonl", ""),
        ("gone.csv", None),
    ],
)
def test_files_that_are_no_archive_say_so(
    engine: Engine, tmp_path: Path, name: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputFileError):
        step.import_articles(engine, tmp_path / name, settings=SETTINGS, as_of=NOW)


def test_a_broken_csv_stores_nothing_and_says_so(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "STAGE_ROWS", 2)
    monkeypatch.setattr(archive, "_FIELD_LIMIT", 1_000)
    known = csv.field_size_limit()
    path = tmp_path / "a.csv"
    path.write_text("title,source\nRates rise,Paper\n,Paper\nRates fall,Paper\n" + "x" * 2_000 + ",Paper\n")
    try:
        with pytest.raises(
            InputFileError, match=r"line 5: .*repair that line and import the file again; nothing was stored"
        ):
            step.import_articles(engine, path, settings=SETTINGS, as_of=NOW)
    finally:
        csv.field_size_limit(known)
    for name in ("articles", "article_rejects", "feeds", "feed_fetches"):
        assert query(engine, f"select count(*) from {name}") == [(0,)], name


def test_health_tells_the_operator_once(engine: Engine, wire: FeedServer) -> None:
    fine = add(engine, wire, "fine", rss(*[item(n) for n in range(8)]))
    undated = add(engine, wire, "undated", rss(*[item(n, date="soon") for n in range(8)]))
    failing = add(engine, wire, "failing", b"")
    wire.replies["/failing"] = (500, {}, b"")
    poll(engine, fine, undated, failing)
    poll(engine, failing, hours=20)
    poll(engine, failing, hours=23)
    later = NOW + timedelta(hours=23.9)
    problems = step.feed_health(engine, settings=SETTINGS, as_of=later)
    assert [line.partition(":")[0] for line in problems["problems"]] == ["undated"]
    after = step.feed_health(engine, settings=SETTINGS, as_of=NOW + timedelta(hours=25))
    assert any(
        line.startswith("failing: it has failed for 1.0 days (ServerError") for line in after["problems"]
    )
    assert after["told"] == 1
    assert step.feed_health(engine, settings=SETTINGS, as_of=NOW + timedelta(hours=26))["told"] == 0
    silent = step.feed_health(engine, settings=SETTINGS, as_of=NOW + timedelta(days=5))
    assert any(line.startswith("fine: it answers but brought nothing new") for line in silent["problems"])
    assert [row.kind for row in query(engine, "select kind from notifications")] == ["operator"] * 3


def test_feeds_that_leave_the_list_stay_as_history(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(
        '[[feeds]]\nname = "a"\nurl = "https://e.com/a"\n[[feeds]]\nname = "b"\nurl = "https://e.com/b"\n'
    )
    assert step.sync_feeds(engine, path, as_of=NOW) == {"added": 2, "changed": 0, "removed": 0, "kept": 0}
    path.write_text('[[feeds]]\nname = "a"\nurl = "https://e.com/new"\n')
    assert step.sync_feeds(engine, path, as_of=NOW) == {"added": 0, "changed": 1, "removed": 1, "kept": 0}
    assert step.sync_feeds(engine, path, as_of=NOW) == {"added": 0, "changed": 0, "removed": 0, "kept": 1}
    assert len(step.due_shards(engine, as_of=NOW, shards=4)) == 1


def test_a_feed_that_moved_stays_where_it_is_whatever_else_the_list_says(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "feeds.toml"
    listed, other = (
        '[[feeds]]\nname = "a"\nurl = "https://e.com/a"\n',
        '[[feeds]]\nname = "b"\nurl = "https://e.com/b"\n',
    )

    def sync(text: str) -> list[Any]:
        path.write_text(text)
        step.sync_feeds(engine, path, as_of=NOW)
        return query(
            engine,
            "select url, tags, previous_urls, etag from feeds join feed_states on feed_id = id"
            " where name = 'a' and removed_at is null",
        )

    sync(listed + other)
    with engine.begin() as connection:
        (feed_id,) = connection.execute(sa.text("select id from feeds where name = 'a'")).scalars()
        state = feeds.load_feeds(connection, [feed_id])[feed_id].state
        moved = replace(state, url="https://e.com/moved", previous_urls=("https://e.com/a",), etag='"1"')
        feeds.save_states(connection, [moved])
    as_moved = ("https://e.com/moved", [], ["https://e.com/a"], '"1"')
    assert sync(listed + other) == [as_moved]
    assert sync(listed + 'tags = ["press"]\n' + other) == [
        ("https://e.com/moved", ["press"], ["https://e.com/a"], '"1"')
    ]
    assert sync(other) == []
    assert sync(listed + other) == [as_moved]
    assert sync(listed.replace("/a", "/c") + other) == [("https://e.com/c", [], [], None)]


def test_feeds_of_a_reader_are_those_that_are_not_polled(engine: Engine) -> None:
    """A removed feed keeps its name and its articles, and comes back as it was where a list has its address."""

    def outline(title: str, address: str) -> str:
        return f'<outline text="{title}" xmlUrl="https://e.com/{address}"/>'

    def take(*outlines: str) -> tuple[int, int]:
        document = f"<opml><body>{''.join(outlines)}</body></opml>".encode()
        with engine.begin() as connection:
            return doors.import_opml(connection, document, as_of=NOW)

    with engine.begin() as connection:
        for name in ("reuters", "wire", "kept"):
            row = {
                "name": name,
                "url": f"https://e.com/{name}",
                "may_train": False,
                "enabled": name != "wire",
            }
            feeds.save_feed(connection, row, NOW, origin="file")
        connection.execute(
            sa.text("update feeds set removed_at = :now, paused_at = :now where name <> 'kept'"), {"now": NOW}
        )
    entries = (outline("Reuters", "b"), outline("The Wire", "wire"), outline("Kept", "kept"))
    assert take(*entries) == (3, 2)
    assert query(
        engine,
        "select name, url, origin, may_train, enabled, removed_at is null, paused_at from feeds order by name",
    ) == [
        ("kept", "https://e.com/kept", "file", False, True, True, None),
        ("reuters", "https://e.com/reuters", "file", False, True, False, NOW),
        ("reuters-2", "https://e.com/b", "desk", True, True, True, None),
        ("wire", "https://e.com/wire", "desk", False, True, True, None),
    ]
    assert take(*entries) == (3, 0)
    assert len(step.due_shards(engine, as_of=NOW, shards=4)[0]) == 3


def test_a_feed_that_is_added_takes_no_other_feeds_articles(engine: Engine) -> None:
    with engine.begin() as connection:
        for name, gone in (("reuters", NOW), ("wire", None)):
            row = {"name": name, "url": f"https://e.com/{name}", "may_train": False}
            feed_id = feeds.save_feed(connection, row, NOW, origin="file")
            connection.execute(
                sa.text("update feeds set removed_at = :gone where id = :id"), {"gone": gone, "id": feed_id}
            )
            connection.execute(
                sa.text("update feed_states set status = 'gone' where feed_id = :id"), {"id": feed_id}
            )

    def add(name: str, address: str) -> int:
        with engine.begin() as connection:
            return feeds.add_feed(connection, {"name": name, "url": f"https://e.com/{address}"}, NOW)

    for name, address, reason in (
        ("reuters", "new", "name of feed reuters, which was removed"),
        ("news", "reuters", "address of feed reuters, .* add it as reuters"),
        ("reuters", "wire", "name of feed reuters|feed wire already has this address"),
        ("wire", "new", "feed wire already has this name"),
        ("news", "wire", "feed wire already has this address"),
    ):
        with pytest.raises(UsageError, match=reason):
            add(name, address)
    add("news", "news")
    add("reuters", "reuters")
    assert query(engine, "select name, may_train from feeds where removed_at is null order by name") == [
        ("news", True),
        ("reuters", False),
        ("wire", False),
    ]
    (due,) = step.due_shards(engine, as_of=NOW, shards=4)
    assert query(engine, "select name from feeds where id = any(:due) order by name", due=due) == [
        ("news",),
        ("reuters",),
    ], "given up when it was removed, and polled again"


def test_pages_are_fetched_where_feed_and_robots_allow(engine: Engine, wire: FeedServer) -> None:
    pytest.importorskip("trafilatura")
    page = (
        "<html><body><nav>Menu</nav><article><h1>Plant opens</h1>"
        + "<p>The plant in Ohio opened on Monday, its owner said.</p>" * 8
        + "</article></body></html>"
    )
    wire.replies["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /closed\nCrawl-delay: 0.01\n")
    wire.replies |= {"/open/1": (200, {}, page.encode()), "/closed/2": (200, {}, page.encode())}
    items = [
        f"<item><guid>{path}</guid><link>{wire.url(path)}</link><title>Story at {path} of the plant</title></item>"
        for path in ("/open/1", "/closed/2", "/open/missing")
    ]
    feed = add(engine, wire, "pages", rss(*items), full_text=True)
    on = SETTINGS.model_copy(update={"full_text": True})
    step.ingest_feeds(engine, [feed], settings=on, as_of=NOW)
    bodies = {
        row.guid: (row.body, row.flags) for row in query(engine, "select guid, body, flags from articles")
    }
    assert "opened on Monday" in bodies["/open/1"][0]
    assert "Menu" not in bodies["/open/1"][0]
    assert bodies["/closed/2"] == (None, ["robots_forbid"])
    assert bodies["/open/missing"] == (None, ["page_failed"])
    assert not wire.asked("/closed/2")
    assert "opened on Monday" in query(engine, "select text from stories where title like '%/open/1%'")[0][0]


def test_keys_are_made_anew_after_they_were_lost(engine: Engine, wire: FeedServer) -> None:
    title = "Mayor of Hull resigns after the harbour budget fails in council"
    body = "The mayor said that the plan for the harbour had cost her the trust of the council and of the town itself."
    poll(engine, add(engine, wire, "lost1", rss(item(1, title, body))))
    with engine.begin() as connection:
        connection.execute(
            sa.text("truncate story_keys")
        )  # what a crash of the server does to an unlogged table
    report = poll(engine, add(engine, wire, "lost2", rss(item(1, f"UPDATE 1-{title}", f"HULL - {body}"))))
    assert (report.new, report.copies) == (1, 1)
    assert query(engine, "select copies from stories") == [(2,)]


def test_waiting_articles_of_a_link_do_not_hide_its_story(engine: Engine, wire: FeedServer) -> None:
    """A link leads to its newest articles; those that wait for a story, too, are no candidates."""
    themes = (
        "harvest",
        "opera",
        "marathon",
        "glacier",
        "bakery",
        "lantern",
        "orchard",
        "ferry",
        "quarry",
        "violin",
    )
    bodies = [" ".join(f"the {theme} of the day number {n}" for n in "abcdefgh") for theme in themes]
    begun = poll(engine, add(engine, wire, "link", rss(item("link", "Of the link", bodies[0]))))
    assert begun.stories == 1
    later = [
        add(engine, wire, f"link{n}", rss(item("link", f"About the {theme}", body)))
        for n, (theme, body) in enumerate(zip(themes[1:], bodies[1:], strict=True))
    ]
    poll(engine, *later, hours=1)
    with engine.begin() as connection:  # as a killed run leaves them
        connection.execute(
            sa.text("update articles set story_id = null, story_match = null where feed_id = any(:ids)"),
            {"ids": later},
        )
    group.group_waiting(engine)
    assert query(
        engine, "select distinct story_match from articles where feed_id = any(:ids)", ids=later
    ) == [("url",)]
    assert query(engine, "select count(distinct story_id) from articles") == [(1,)]


def test_copies_in_one_run_meet_whatever_batch_they_are_in(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(articles, "BATCH_ROWS", 3)
    feeds_ = [
        add(
            engine,
            wire,
            f"batch{n}",
            rss(*[item(k, f"Town {k} opens its new library after years of delay") for k in range(9)]),
        )
        for n in range(4)
    ]
    report = poll(engine, *feeds_)
    assert (report.new, report.stories, report.copies) == (36, 9, 27)
    assert query(engine, "select distinct copies from stories") == [(4,)]
    assert query(engine, "select count(*) from score_queue") == [(9,)]  # copies are not scored
    assert query(engine, "select count(*) from articles where story_id is null or story_match is null") == [
        (0,)
    ]


def test_an_answer_that_cannot_be_judged_costs_its_own_feed_only(
    engine: Engine, wire: FeedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    odd, other = (add(engine, wire, name, rss(item(name))) for name in ("odd", "other"))
    judge = polling.decide

    def stumble(answer: Any, state: Any, *rest: Any, **more: Any) -> Any:
        if state.name == "odd" and not answer.error:
            raise OverflowError("date value out of range")
        return judge(answer, state, *rest, **more)

    monkeypatch.setattr(polling, "decide", stumble)
    report = poll(engine, odd, other)
    assert (report.ok, report.error, report.new) == (1, 1, 2)
    states = query(engine, "select error_class, error_message, next_due_at from feed_states order by feed_id")
    assert [row.error_class for row in states] == ["OddAnswer", None]
    assert "OverflowError: date value out of range" in states[0].error_message
    assert all(row.next_due_at > NOW for row in states)
    assert "Traceback" in caplog.text
    monkeypatch.undo()
    report = poll(engine, odd, hours=1)
    assert (report.ok, report.unchanged, report.new) == (1, 1, 0)


def test_a_moment_without_a_zone_is_utc_and_no_fault_of_the_feeds(engine: Engine, wire: FeedServer) -> None:
    add(engine, wire, "zoneless", rss(item("zoneless")))
    report = run.ingest(run.Line(SETTINGS, engine), as_of=NOW.replace(tzinfo=None))
    assert (report["ok"], report["error"], report["new"]) == (1, 0, 1)
    assert query(engine, "select first_seen_at from articles") == [(NOW,)]


def test_a_document_that_shows_many_lost_items_writes_one_reject(engine: Engine, wire: FeedServer) -> None:
    body = json.dumps({"items": [1] * 100_000 + [{"id": "1", "title": "The only item"}, {}]})
    feed = add(engine, wire, "lossy", body.encode())
    report = poll(engine, feed)
    assert (report.seen, report.new, report.rejected) == (100_002, 1, 100_001)
    rejects = query(engine, "select reason, detail from article_rejects order by reason")
    assert [row.reason for row in rejects] == ["empty", "lost_by_parser"]
    assert "100000" in rejects[1].detail
    assert query(engine, "select seen, rejected from feed_fetches") == [(100_002, 100_001)]


def named_item(
    guid: str, link: str, title: str, text: str = "The mayor said the harbour had cost her."
) -> str:
    return (
        f"<item><guid isPermaLink='false'>{guid}</guid><link>https://example.com/{link}</link><title>{title}</title>"
        f"<description>{text}</description></item>"
    )


@pytest.mark.parametrize("edit", ["", " So it did."])
def test_an_article_that_changes_one_name_after_the_other_stays_one(
    engine: Engine, wire: FeedServer, edit: str
) -> None:
    title = "Mayor of Hull resigns after the harbour budget fails"
    text = "The mayor said the harbour had cost her."
    feed = add(engine, wire, "renamed", rss(named_item("first", "a", title, text)))
    assert poll(engine, feed).new == 1
    wire.replies["/renamed"] = (200, {}, rss(named_item("second", "a", title, text + edit)))
    assert poll(engine, feed, hours=1).new == 0
    wire.replies["/renamed"] = (200, {}, rss(named_item("second", "b", f"{title} in council", text + edit)))
    report = poll(engine, feed, hours=2)
    assert (report.new, report.revised) == (0, 1)
    assert query(engine, "select count(*) from articles") == [(1,)]


def test_guids_made_up_at_every_poll_do_not_fill_the_table(engine: Engine, wire: FeedServer) -> None:
    title = "Mayor of Hull resigns after the harbour budget fails"
    feed = add(engine, wire, "random", rss(named_item("guid-0", "a", title)))
    for n in range(5):
        wire.replies["/random"] = (200, {}, rss(named_item(f"guid-{n}", "a", title)))
        poll(engine, feed, hours=n)
    assert query(engine, "select count(*) from articles") == [(1,)]
    assert query(engine, "select count(*) from article_aliases where kind = 'guid'") == [(2,)]
