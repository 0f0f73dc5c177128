"""Labels in and out of a real database."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from newsroom import NOW, add_articles, add_company, add_feed, add_model, mention, score

from pipeline import labels as labelling
from pipeline import run
from pipeline.ingest.articles import FeedOptions, prepare, story_text
from pipeline.ingest.group import group_waiting
from pipeline.ingest.parse import ParsedFeed, ParsedItem
from pipeline.label.dataset import merge_labels
from pipeline.label.drift import estimate_accuracy
from pipeline.label.formats import FORMATS, write_labels
from pipeline.label.schema import Rename
from pipeline.label.step import import_labels
from pipeline.settings import Settings
from pipeline.store import articles, desk_labels, drift, labels, retrainings


@pytest.fixture
def newsroom(engine):
    feed = add_feed(engine)
    articles = add_articles(
        engine, feed, ["Orvex plunges\nOrvex lost half its value.", "Rates held\nNo change."]
    )
    company = add_company(engine, "Orvex Pharmaceuticals", "ORVX", ["Orvex"])
    mention(engine, articles[0], company, [[0, 5], [14, 19]])
    return articles, company


def rows(engine, query, **values):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query), values)]


IN_FORCE = "select article_id, target, company_id, sentiment, topics, labelled_by from labels where retracted_at is null order by id"


def wide(engine, article, **labels):
    (guid,) = rows(engine, "select guid from articles where id = :id", id=article)[0]
    return {"guid": guid, "feed": "wire", **labels}


def test_a_file_of_labels_is_stored_once(engine, newsroom, tmp_path):
    (first, second), company = newsroom
    path = tmp_path / "labels.jsonl"
    lines = [
        wide(
            engine,
            first,
            sentiment="negative",
            company_sentiment={"ORVX": "negative"},
            topics=["stock_movement"],
        ),
        wide(engine, second, sentiment="neutral", labelled_by="bob"),
        wide(engine, second, sentiment="great"),
        {"guid": "nobody has this", "sentiment": "neutral"},
        wide(engine, first, sentiment="negative", company="Unheard Of plc"),
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\nnot json\n")
    report = import_labels(engine, path, by="anna", as_of=NOW)
    assert (report.new, report.refused) == (4, 4)
    assert "'great' is none of" in report.mistakes[0]
    assert any("nobody has this is not stored" in mistake for mistake in report.mistakes)
    assert any("'Unheard Of plc' is not on the watch list" in mistake for mistake in report.mistakes)
    stored = rows(engine, IN_FORCE)
    assert set(map(str, stored)) == set(
        map(
            str,
            [
                (first, "story", None, "negative", None, "anna"),
                (first, "company", company, "negative", None, "anna"),
                (first, "topics", None, None, ["stock_movement"], "anna"),
                (second, "story", None, "neutral", None, "bob"),
            ],
        )
    )
    again = import_labels(engine, path, by="anna", as_of=NOW + timedelta(hours=1))
    assert (again.new, again.replaced, again.unchanged) == (0, 0, 4)
    assert rows(engine, IN_FORCE) == stored


def test_a_bad_row_is_named_and_the_rows_beside_it_are_stored(engine, newsroom, tmp_path):
    (first, second), _ = newsroom
    path = tmp_path / "labels.jsonl"
    lines = [
        {"article_id": first, "sentiment": "negative"},
        {"article_id": first, "sentiment": "negative", "note": "a\x00b", "labelled_by": "nul"},
        {"article_id": first, "sentiment": "negative", "note": "a\ud800b", "labelled_by": "lone \udc00 half"},
        {"article_id": 10**20, "sentiment": "negative"},
        {"article_id": first, "sentiment": "negative", "labelled_at": "9999-12-31T23:00:00-08:00"},
        {"article_id": first, "sentiment": "negative", "labelled_at": "0001-01-01T00:00:00+14:00"},
        {"article_id": first, "sentiment": "negative", "labelled_by": "".join(map(chr, range(300, 4000)))},
        {"guid": "nobody has \ud800 this", "sentiment": "neutral"},
        {"article_id": second, "sentiment": "neutral"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    report = import_labels(engine, path, by="anna", as_of=NOW)
    assert (report.new, report.refused) == (4, 5), report.mistakes
    told = sorted(report.mistakes)
    for row, why in zip(
        (4, 5, 6, 7, 8), ("no article has", "a time", "a time", "200", "stored"), strict=True
    ):
        mistake = told[row - 4]
        assert mistake.startswith(f"row {row}: ")
        assert why in mistake
        mistake.encode()
    assert rows(engine, "select note from labels order by id") == [("",), ("ab",), ("a\ufffdb",), ("",)]


def test_a_label_from_the_future_is_refused_so_that_later_ones_count(engine, newsroom, tmp_path):
    (first, second), _ = newsroom
    path = tmp_path / "labels.jsonl"
    ahead = {"labelled_at": (NOW + timedelta(days=365)).isoformat()}
    little = {"labelled_at": (NOW + timedelta(minutes=2)).isoformat()}
    lines = [
        {"article_id": first, "sentiment": "negative", **ahead},
        {"article_id": second, "sentiment": "negative", **little},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    report = import_labels(engine, path, by="anna", as_of=NOW)
    assert (report.new, report.refused) == (1, 1)
    assert report.mistakes[0].startswith("row 1: labelled_at 2027-05-04 12:00 UTC lies in the future")
    assert rows(engine, "select labelled_at from labels") == [(NOW,)], "a clock that is a little ahead"


def test_what_the_desk_says_is_stored_replaces_a_label_that_an_older_import_dated_wrongly(engine, newsroom):
    (first, _), _ = newsroom
    later = NOW + timedelta(days=365)
    with engine.begin() as connection:
        ahead = labels.NewLabel(first, "story", "anna", later, "file", sentiment="negative")
        labels.write_labels(connection, [ahead], NOW)
        desk_labels.add_label(connection, first, "positive", who="anna", as_of=NOW + timedelta(days=1))
    assert [row[3] for row in rows(engine, IN_FORCE)] == ["positive"]


def test_of_two_writers_of_one_person_at_once_the_newer_verdict_stands(engine, newsroom):
    (first, second), _ = newsroom
    written = []

    def say(connection, verdict, at):
        given = [labels.NewLabel(a, "story", "anna", at, "desk", sentiment=verdict) for a in (first, second)]
        return labels.write_labels(connection, given, at)

    def change_of_mind():
        with engine.begin() as connection:
            written.append(say(connection, "positive", NOW + timedelta(hours=1)))

    other = threading.Thread(target=change_of_mind)
    with engine.begin() as connection:
        say(connection, "negative", NOW)
        other.start()
        waits = "select count(*) from pg_locks where not granted"
        until = time.monotonic() + 10
        while rows(engine, waits) == [(0,)] and time.monotonic() < until:
            time.sleep(0.02)
    other.join(10)
    assert written == [labels.Written(replaced=2)]
    assert [row[3] for row in rows(engine, IN_FORCE)] == ["positive", "positive"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_brings_back_what_it_took(engine, newsroom, tmp_path, kind):
    (first, second), company = newsroom
    given = [
        labels.NewLabel(first, "story", "anna", NOW, "desk", sentiment="negative"),
        labels.NewLabel(first, "company", "anna", NOW, "desk", company_id=company, sentiment="negative"),
        labels.NewLabel(first, "topics", "anna", NOW, "desk", topics=("stock_movement", "legal_regulation")),
        labels.NewLabel(first, "story", "bob", NOW, "desk", sentiment="neutral"),
        labels.NewLabel(second, "story", "bob", NOW, "desk", sentiment="neutral"),
    ]
    with engine.begin() as connection:
        labels.write_labels(connection, given, NOW)
    before = rows(engine, IN_FORCE)
    path = tmp_path / f"labels.{'json' if kind in ('label-studio', 'argilla') else kind}"
    with engine.connect() as connection:
        assert write_labels(path, kind, labels.read_labels(connection)) == 5
    with engine.begin() as connection:
        connection.execute(sa.text("delete from labels"))
    report = import_labels(engine, path, by="somebody", as_of=NOW)
    assert (report.new, report.refused) == (5, 0), report.mistakes
    key = lambda row: (row[0], row[1], row[5], row[3], sorted(row[4] or ()))  # noqa: E731
    assert sorted(map(key, rows(engine, IN_FORCE))) == sorted(map(key, before))


def test_a_file_of_another_database_labels_the_articles_that_it_means(engine, newsroom, tmp_path):
    """Numbers of articles are those of one database: what stands beside them says whether they are ours."""
    (first, second), _ = newsroom
    told = wide(engine, first, sentiment="positive", labelled_by="bob", article_id=first)
    told["url"] = rows(engine, "select url from articles where id = :id", id=first)[0][0]
    lines = [
        wide(engine, first, article_id=second, sentiment="negative"),
        wide(engine, second, article_id=second + 1000, sentiment="neutral"),
        told | {"guid": "1E+18"},
        {"article_id": first, "guid": "nowhere", "sentiment": "positive"},
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    report = import_labels(engine, path, by="anna", as_of=NOW)
    assert report.mistakes == [f"row 4: article {first} (nowhere) is not stored"]
    assert [(row[0], row[3], row[5]) for row in rows(engine, IN_FORCE)] == [
        (first, "negative", "anna"),
        (second, "neutral", "anna"),
        (first, "positive", "bob"),  # a spreadsheet took its long guid for a number
    ]


def test_a_person_may_change_their_mind_but_not_by_an_older_file(engine, newsroom):
    (first, _), _ = newsroom
    say = lambda sentiment, at: labels.NewLabel(first, "story", "anna", at, "desk", sentiment=sentiment)  # noqa: E731
    with engine.begin() as connection:
        labels.write_labels(connection, [say("negative", NOW)], NOW)
        later = labels.write_labels(connection, [say("neutral", NOW + timedelta(hours=1))], NOW)
        older = labels.write_labels(connection, [say("positive", NOW - timedelta(days=1))], NOW)
    assert (later.replaced, older.outdated) == (1, 1)
    assert [row[3] for row in rows(engine, IN_FORCE)] == ["neutral"]
    assert rows(engine, "select count(*) from labels") == [(2,)], "what was said before stays as history"


def test_renaming_a_topic_is_a_migration(engine, newsroom):
    (first, second), _ = newsroom
    with engine.begin() as connection:
        labels.write_labels(
            connection,
            [
                labels.NewLabel(first, "topics", "anna", NOW, "desk", topics=("ipo", "markets")),
                labels.NewLabel(second, "story", "anna", NOW, "desk", sentiment="neutral"),
            ],
            NOW,
        )
        renames = (Rename(2, topics={"ipo": "listings"}), Rename(3, topics={"markets": None}))
        assert labels.migrate_labels(connection, renames) == 2
        assert labels.migrate_labels(connection, renames) == 0
    found = rows(engine, "select sentiment, topics, schema_version from labels order by id")
    assert found == [(None, ["listings"], 3), ("neutral", None, 3)]


def test_the_watch_estimates_accuracy_from_random_labels_and_measures_drift(engine, database_url, tmp_path):
    settings = Settings(home=tmp_path, database_url=database_url, operator_receiver="desk", _env_file=None)
    line = run.Line(settings, engine)
    model = add_model(engine)
    feed = add_feed(engine)
    start = NOW - timedelta(days=40)
    older = add_articles(
        engine, feed, [f"Calm day {i}\nNothing happens." for i in range(120)], at=start, gap=3600
    )
    newer = add_articles(
        engine,
        feed,
        [f"Grim day {i}\nNothing good happens." for i in range(120)],
        at=NOW - timedelta(days=6),
        gap=600,
    )
    for article in older:
        score(engine, model, article, (0.05, 0.9, 0.05))
    for article in newer:
        score(engine, model, article, (0.9, 0.05, 0.05))
    given = [
        labels.NewLabel(
            a,
            "story",
            "anna",
            NOW,
            "desk",
            sentiment="negative" if i % 4 else "neutral",
            queue_reason="random",
        )
        for i, a in enumerate(newer[:40])
    ]
    with engine.begin() as connection:
        labels.write_labels(connection, given, NOW)
    told = labelling.watch(line, as_of=NOW)["told"]
    assert any(line.startswith("What the model says") for line in told), told
    accuracy = rows(
        engine,
        "select effect, detail ->> 'labels' from analytics.drift where kind = 'accuracy' and subject = 'all'",
    )
    assert accuracy == [(0.75, "40")]
    assert rows(engine, "select count(*) from notifications where kind = 'operator'") == [(1,)]
    lines = rows(engine, "select count(*) from drift_reports")
    assert labelling.watch(line, as_of=NOW)["lines"] == 0, "the same moment again changes nothing"
    assert rows(engine, "select count(*) from drift_reports") == lines


def test_what_labellers_dispute_says_nothing_of_the_accuracy(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Day {i}\nSomething happens." for i in range(41)])
    for article in articles:
        score(engine, model, article, (0.9, 0.05, 0.05))
    people = {
        "anna": ["neutral"] * 41,
        "bob": ["negative"] * 40 + ["neutral"],
        "carl": [None] * 40 + ["negative"],
    }
    given = [
        labels.NewLabel(article, "story", person, NOW, "desk", sentiment=verdict, queue_reason="random")
        for person, verdicts in people.items()
        for article, verdict in zip(articles, verdicts, strict=True)
        if verdict
    ]
    with engine.begin() as connection:
        labels.write_labels(connection, given, NOW)
        checked = drift.read_checked(connection, model, NOW, 90)
    assert [found.right for found in checked] == [False], "two of three say neutral; forty are disputed"
    assert estimate_accuracy(checked) == []


LEAD = (
    "The regulator opened a probe into drug prices on Monday. Acme (ACM) shares fell nine percent after it, while"
    " rival Elm rose to a record high in early trading in Zurich. "
)


def stored(engine, feed, **item):
    """An article as a poll stores it; returns its id."""
    draft = prepare(
        ParsedFeed(items=(ParsedItem("1", **item),)), FeedOptions(), "https://e.com/", NOW
    ).drafts[0]
    with engine.begin() as connection:
        articles.insert_articles(connection, [articles.NewArticle(feed, draft.item_key, draft, NOW)])
        return connection.execute(
            sa.text("select id from articles where feed_id = :feed"), {"feed": feed}
        ).scalar_one()


@pytest.fixture
def copy(engine):
    """Two articles of one story, the second with its lead in the body: (its id, the text that its spans were cut from)."""
    for name, ticker in (("Acme", "ACM"), ("Elm", None)):
        add_company(engine, name, ticker)
    title = "Regulator opens probe into drug prices"
    stored(engine, add_feed(engine, "wire"), title=title, summary=LEAD)
    second = stored(engine, add_feed(engine, "paper"), title=title, summary="Read more.", content=LEAD * 20)
    group_waiting(engine)
    assert rows(engine, "select story_match from articles order by id") == [("first",), ("title",)]
    companies = dict(rows(engine, "select name, id from companies"))
    given = [
        labels.NewLabel(second, "company", "anna", NOW, "file", company_id=companies[name], sentiment=verdict)
        for name, verdict in (("Acme", "negative"), ("Elm", "positive"))
    ]
    with engine.begin() as connection:
        labels.write_labels(connection, given, NOW)
    return second, story_text(title, "Read more.", (LEAD * 20).strip())


def taught(engine):
    """What a retraining and a file of labels have of the labelled copy: text, and the words that each company's spans cut."""
    with engine.connect() as connection:
        (article,) = merge_labels(retrainings.read_label_rows(connection))
        exported = labels.read_labels(connection)
    words = {name: {article.text[a:b] for a, b in spans} for name, spans, _ in article.companies}
    for label in exported:
        assert label.text == article.text
        assert {name: {label.text[a:b] for a, b in spans} for name, spans in label.mentions} == words
    return article.text, words


def test_a_label_on_a_copy_teaches_the_text_that_its_companies_were_found_in(engine, copy):
    _, text = copy
    assert taught(engine) == (text, {"Acme": {"Acme", "(ACM)"}, "Elm": {"Elm"}})


def test_a_label_on_a_copy_teaches_the_state_in_which_it_was_grouped(engine, copy):
    second, text = copy
    with engine.begin() as connection:
        connection.execute(
            sa.text("update articles set title = 'UPDATE 2 - ' || title, revision = 2 where id = :id"),
            {"id": second},
        )
    assert taught(engine) == (text, {"Acme": {"Acme", "(ACM)"}, "Elm": {"Elm"}})
    with engine.begin() as connection:
        connection.execute(sa.text("update labels set retracted_at = :at"), {"at": NOW})
        assert retrainings.read_unlabelled(connection, 10) == [(text, False)]


def test_a_span_that_cuts_no_name_of_its_company_teaches_nothing(engine, copy):
    second, text = copy
    spans = [[0, 4], [text.index("Acme"), text.index("Acme") + 4], [0, text.index("into")]]
    (acme,) = rows(engine, "select id from companies where name = 'Acme'")[0]
    with engine.begin() as connection:
        for company, places in ((acme, spans), (acme + 1, [[3, 9]])):
            connection.execute(
                sa.text(
                    "update mentions set spans = cast(:spans as jsonb) where article_id = :a and company_id = :c"
                ),
                {"spans": json.dumps(places), "a": second, "c": company},
            )
    assert taught(engine) == (text, {"Acme": {"Acme"}})
