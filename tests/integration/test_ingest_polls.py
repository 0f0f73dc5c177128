"""The politeness list, against a real server and a real database: one module, a few polls of every endpoint."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ingest_server import FeedServer, Headers, Reply, feed_server, item, rss
from sqlalchemy.engine import Engine

from pipeline.ingest import step
from pipeline.settings import Settings
from pipeline.store import feeds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = Settings(
    fetch_allow_private=("127.0.0.0/8",), fetch_timeout_s=5, parse_processes=1, _env_file=None
)  # type: ignore[call-arg]
BODY = rss(item(1), item(2))
HOURS = (0, 1, 30, 31)


def rotating(path: str, headers: Headers) -> Reply:
    """A new ETag with each answer, equal content."""
    rotating.count += 1  # type: ignore[attr-defined]
    return 200, {"ETag": f'"{rotating.count}"'}, BODY  # type: ignore[attr-defined]


rotating.count = 0  # type: ignore[attr-defined]


def renewing(path: str, headers: Headers) -> Reply:
    """304 with another ETag each time."""
    if "if-none-match" not in headers:
        return 200, {"ETag": '"a"'}, BODY
    return 304, {"ETag": headers["if-none-match"][:-1] + 'b"'}, b""


def dropping(path: str, headers: Headers) -> Reply:
    """Last-Modified in the first answer only."""
    return 200, {} if "if-modified-since" in headers else {"Last-Modified": "yesterday, roughly"}, BODY


REPLIES: dict[str, Any] = {
    "weak-etag": (200, {"ETag": 'W/"1"'}, BODY),
    "odd-modified": (200, {"Last-Modified": "yesterday, roughly"}, BODY),
    "rotating": rotating,
    "renewing": renewing,
    "dropping": dropping,
    "retry-seconds": (429, {"Retry-After": "7500"}, b""),
    "retry-date": (429, {"Retry-After": "Mon, 23 Nov 2026 15:05:00 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, b""),
    "retry-503": (503, {"Retry-After": "7500"}, b""),
    "max-age": (200, {"Cache-Control": "max-age=7200", "ETag": '"m"'}, BODY),
    "forbidden": (403, {}, b""),
    "missing": (404, {}, b""),
    "gone": (410, {}, b""),
    "ttl": (200, {}, rss(item(1), head="<ttl>45</ttl>")),
    "skip": (200, {}, rss(item(1), head="<skipHours><hour>12</hour><hour>13</hour></skipHours>")),
    "moved": lambda path, headers: (301, {"Location": "/moved-to"}, b""),
    "ampersand": (200, {}, rss(item(1, title="AT&T and S&P slide")).replace(b"AT&amp;T", b"AT&T")),
    "no-id": (200, {}, rss("<item><title>No id, no link, still news</title><description>Something happened.</description></item>")),
    "same-guid": (200, {}, rss(*[f"<item><guid>same</guid><link>https://e.com/{n}</link><title>Number {n} of two items</title></item>" for n in (1, 2)])),
    "nul": (200, {}, rss(item(1, title="Acme\x00 opens plants"))),
    "script": (200, {}, rss("<item><guid>1</guid><link>javascript:alert(1)</link><title>&lt;script&gt;x&lt;/script&gt;Plain &lt;b&gt;title&lt;/b&gt;</title></item>")),
    "zero-date": (200, {}, rss(item(1, date="0000-00-00"))),
    "no-zone": (200, {}, rss(item(1, date="Mon, 23 Nov 2026 06:00:00"))),
    "gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(BODY)),
    "bomb": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"\x00" * 40_000_000)),
    "double": (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(BODY))),
    "html": (200, {}, b"<!doctype html><html><body>Moved to our app</body></html>"),
    "challenge": (403, {"cf-mitigated": "challenge"}, b"<html>Just a moment</html>"),
    "empty": (200, {}, b""),
    "json": (200, {"Content-Type": "application/feed+json"}, b'{"version":"https://jsonfeed.org/version/1.1","items":[{"id":5,"url":"https://e.com/5","title":"Json news"}]}'),
    "loop": (302, {"Location": "/loop"}, b""),
    "to-file": (302, {"Location": "file:///etc/passwd"}, b""),
    "latin-etag": (200, {"ETag": '"caf\xe9"', "Last-Modified": "lundi, 23 f\xe9vrier"}, BODY),
    "latin-moved": (301, {"Location": "/fl\xfcx"}, b""),
    "late-expires": (200, {"Expires": "Fri, 31 Dec 9999 23:59:59 PST"}, BODY),
    "odd-age": (200, {"Cache-Control": "max-age=7200", "Age": "\xb2"}, BODY),
    "utf8-age": (200, {"Cache-Control": "max-age=7200", "Age": "\xc2\xb2"}, BODY),
    "nul-etag": (200, {"ETag": '"a\x00b"'}, BODY),
    "to-private": (302, {"Location": "http://10.0.0.1/feed"}, b""),
}  # fmt: skip


@pytest.fixture(scope="module")
def polled(
    module_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, FeedServer]]:
    """Every endpoint polled at 0, 1, 30 and 31 hours."""
    with feed_server() as server:
        server.replies = {f"/{name}": reply for name, reply in REPLIES.items()} | {
            "/moved-to": (200, {}, BODY),
            "/fl%FCx": (200, {}, BODY),
        }
        listed = "".join(
            f'[[feeds]]\nname = "{name}"\nurl = "{server.url(f"/{name}", f"127.0.1.{n + 1}")}"\n'
            for n, name in enumerate(REPLIES)
        )
        listed = listed.replace('name = "no-zone"\n', 'name = "no-zone"\ndefault_tz = "America/New_York"\n')
        path: Path = tmp_path_factory.mktemp("feeds") / "feeds.toml"
        path.write_text(listed)
        step.sync_feeds(module_engine, path, as_of=NOW)
        with module_engine.connect() as connection:
            ids = list(connection.execute(sa.text("select id from feeds order by id")).scalars())
        for hours in HOURS:
            step.ingest_feeds(module_engine, ids, settings=SETTINGS, as_of=NOW + timedelta(hours=hours))
        yield module_engine, server


def state(polled: tuple[Engine, FeedServer], name: str) -> Any:
    with polled[0].connect() as connection:
        row = feeds.find_feed(connection, name)
        assert row is not None
        return feeds.load_feeds(connection, [row.id])[row.id].state


def rows(polled: tuple[Engine, FeedServer], name: str, what: str = "articles") -> list[Any]:
    query = {
        "articles": "select a.* from articles a join feeds f on f.id = a.feed_id where f.name = :name order by a.id",
        "polls": "select p.* from feed_fetches p join feeds f on f.id = p.feed_id where f.name = :name order by p.started_at",
    }[what]
    with polled[0].connect() as connection:
        return list(connection.execute(sa.text(query), {"name": name}))


def asked(polled: tuple[Engine, FeedServer], name: str, header: str) -> list[str | None]:
    return [headers.get(header) for headers in polled[1].asked(f"/{name}")]


def test_validators_go_back_byte_for_byte(polled: Any) -> None:
    assert asked(polled, "weak-etag", "if-none-match") == [None, 'W/"1"', 'W/"1"', 'W/"1"']
    assert asked(polled, "odd-modified", "if-modified-since")[1:] == ["yesterday, roughly"] * 3


def test_the_newest_validator_is_sent(polled: Any) -> None:
    assert asked(polled, "rotating", "if-none-match") == [None, '"1"', '"2"', '"3"']
    assert asked(polled, "renewing", "if-none-match") == [None, '"a"', '"ab"', '"abb"']
    assert asked(polled, "dropping", "if-modified-since")[:3] == [None, "yesterday, roughly", None]


def test_headers_that_cannot_be_stored_are_dropped(polled: Any) -> None:
    """One odd header once kept every feed of its batch from being stored, at every run."""
    assert asked(polled, "latin-etag", "if-none-match") == [None] * 4
    assert asked(polled, "latin-etag", "if-modified-since") == [None] * 4
    assert len(rows(polled, "latin-etag")) == 2
    assert {poll.error_class for poll in rows(polled, "nul-etag", "polls")} <= {None, "BadAnswer"}


def test_a_redirect_in_latin_1_is_followed(polled: Any) -> None:
    assert state(polled, "latin-moved").validators_url.endswith("/fl%FCx")
    assert len(rows(polled, "latin-moved")) == 2


@pytest.mark.parametrize("name", ["late-expires", "odd-age", "utf8-age"])
def test_times_that_cannot_be_read_say_nothing(polled: Any, name: str) -> None:
    found = state(polled, name)
    assert (found.status, len(rows(polled, name))) == ("ok", 2)
    assert found.hints.max_age_s == (None if name == "late-expires" else 7_200)


def test_equal_bodies_are_not_parsed_again(polled: Any) -> None:
    assert [poll.outcome for poll in rows(polled, "rotating", "polls")] == [
        "ok",
        "same_body",
        "same_body",
        "same_body",
    ]
    assert [poll.outcome for poll in rows(polled, "renewing", "polls")] == ["ok"] + ["not_modified"] * 3


@pytest.mark.parametrize(
    ("name", "seconds"), [("retry-seconds", 7_500), ("retry-date", 11_100), ("retry-503", 7_500)]
)
def test_retry_after_is_obeyed(polled: Any, name: str, seconds: int) -> None:
    found = state(polled, name)
    waited = found.next_due_at - (NOW + timedelta(hours=HOURS[-1]))
    assert waited >= timedelta(seconds=min(seconds, 7_500))
    assert found.status == "rate_limited"


def test_a_429_rests_its_host_only(polled: Any) -> None:
    with polled[0].connect() as connection:
        resting = feeds.resting_hosts(connection, NOW)
    names = list(REPLIES)
    assert set(resting) == {f"127.0.1.{names.index(name) + 1}" for name in ("retry-seconds", "retry-date")}


def test_max_age_ttl_and_skip_hours_are_obeyed(polled: Any) -> None:
    assert state(polled, "max-age").next_due_at >= NOW + timedelta(hours=HOURS[-1] + 2)
    assert state(polled, "ttl").hints.ttl_s == 2_700
    assert "ttl" in state(polled, "ttl").next_due_reason
    assert state(polled, "skip").hints.skip_hours == {12, 13}


@pytest.mark.parametrize(("name", "error"), [("forbidden", "Forbidden"), ("missing", "NotFound")])
def test_refusals_back_off(polled: Any, name: str, error: str) -> None:
    found = state(polled, name)
    assert (found.status, found.error_class, found.error_count) == ("backing_off", error, 4)
    assert found.next_due_at is not None


def test_410_twice_a_day_apart_ends_polling_with_a_reason(polled: Any) -> None:
    found = state(polled, "gone")
    assert (found.status, found.next_due_at) == ("gone", None)
    assert "410" in found.next_due_reason
    due = [i for shard in step.due_shards(polled[0], as_of=NOW + timedelta(days=99), shards=3) for i in shard]
    assert found.feed_id not in due


def test_a_permanent_redirect_is_followed_and_counted(polled: Any) -> None:
    found = state(polled, "moved")
    assert found.redirect_seen == 4
    assert found.url.endswith("/moved")
    assert len(rows(polled, "moved")) == 2


def test_broken_feeds_keep_their_items(polled: Any) -> None:
    assert [row.title for row in rows(polled, "ampersand")] == ["AT&T and S&P slide"]
    assert [row.title for row in rows(polled, "no-id")] == ["No id, no link, still news"]
    assert [row.title for row in rows(polled, "same-guid")] == [
        "Number 1 of two items",
        "Number 2 of two items",
    ]
    assert [row.title for row in rows(polled, "nul")] == ["Acme opens plants"]
    assert [row.title for row in rows(polled, "json")] == ["Json news"]


def test_second_polls_change_nothing(polled: Any) -> None:
    for name in REPLIES:
        for poll in rows(polled, name, "polls")[1:]:
            assert (poll.new, poll.revised) == (0, 0), name
    with polled[0].connect() as connection:
        assert (
            connection.execute(sa.text("select count(*) from article_revisions where revision > 1")).scalar()
            == 0
        )


def test_links_and_titles_are_harmless(polled: Any) -> None:
    (row,) = rows(polled, "script")
    assert (row.url, row.title) == (None, "Plain title")


def test_dates_are_right_or_null(polled: Any) -> None:
    (zero,) = rows(polled, "zero-date")
    assert (zero.published_at, zero.date_status, zero.event_at) == (None, "unparseable", NOW)
    (zoned,) = rows(polled, "no-zone")
    assert (zoned.published_at, zoned.tz_source) == (datetime(2026, 11, 23, 11, tzinfo=UTC), "feed_default")


@pytest.mark.parametrize(
    ("name", "error"),
    [("bomb", "TooLarge"), ("double", "BadEncoding"), ("html", "HtmlPage"), ("challenge", "ChallengePage"), ("empty", "EmptyBody"),
     ("loop", "BadRedirect"), ("to-file", "BadAddress"), ("to-private", "ForbiddenAddress")],
)  # fmt: skip
def test_bad_answers_have_names(polled: Any, name: str, error: str) -> None:
    assert {poll.error_class for poll in rows(polled, name, "polls")} == {error}


def test_gzip_is_read(polled: Any) -> None:
    assert len(rows(polled, "gzip")) == 2


def test_the_conservation_law_holds_everywhere(polled: Any) -> None:
    with polled[0].connect() as connection:
        stored = connection.execute(sa.text("select count(*) from articles")).scalar()
        new = connection.execute(sa.text("select sum(new) from feed_fetches")).scalar()
        ungrouped = connection.execute(
            sa.text("select count(*) from articles where story_id is null")
        ).scalar()
    assert stored == new
    assert ungrouped == 0


def test_equal_articles_of_many_feeds_are_one_story(polled: Any) -> None:
    with polled[0].connect() as connection:
        copies, sources = connection.execute(
            sa.text("select copies, sources from stories order by copies desc limit 1")
        ).one()
        members = connection.execute(
            sa.text("select count(*) from articles group by story_id order by 1 desc limit 1")
        ).scalar()
    assert copies == members > 5
    assert sources == 1  # all call themselves Outlet


def test_every_feed_says_why(polled: Any) -> None:
    from pipeline.ingest.checking import explain

    with polled[0].begin() as connection:
        for name in REPLIES:
            explained = explain(connection, feeds.find_feed(connection, name), NOW)  # type: ignore[arg-type]
            assert name in explained["sentence"]
            assert explained["reason"]
            assert len(explained["polls"]) == len(HOURS)


def test_no_cookies_no_referer_a_name(polled: Any) -> None:
    for _, headers in polled[1].requests:
        assert "undertow" in headers["user-agent"].lower()
        assert "cookie" not in headers
        assert "referer" not in headers
