"""The queue of what to label next, in a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from newsroom import NOW, add_articles, add_feed, add_model, score

from pipeline.label.agreement import Vote
from pipeline.label.queue import Queued
from pipeline.label.step import agreement, fill_queue
from pipeline.store import desk_labels, labels, retrainings
from pipeline.values import parse_mix

MIX = parse_mix("uncertain=40,alert=20,disputed=10,drift=10,suspect=10,random=10")
OPEN = "select article_id from label_queue where done_at is null"


def rows(engine, query, **values):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query), values)]


def fill(engine, model, size=20, at=NOW):
    return fill_queue(engine, model_version_id=model, mix=MIX, size=size, days=14, as_of=at)


def test_the_queue_asks_for_uncertain_and_random_stories_but_never_for_frozen_ones(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(60)])
    for i, article in enumerate(articles):
        score(engine, model, article, (0.5, 0.45, 0.05) if i < 20 else (0.98, 0.01, 0.01))
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into frozen_articles select id, 'story', :at from articles where id = any(:ids)"),
            {"ids": articles[:5], "at": NOW},
        )
    assert fill(engine, model) == {"uncertain": 18, "random": 2}
    queued = dict(rows(engine, "select article_id, reason from label_queue"))
    assert not set(queued) & set(articles[:5])
    doubtful = [a for a, reason in queued.items() if reason == "uncertain" and a in articles[5:20]]
    assert len(doubtful) >= 13
    assert fill(engine, model) == {}, "it is full"


def test_a_label_takes_the_article_off_the_queue_and_keeps_why_it_was_asked(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(30)])
    for article in articles:
        score(engine, model, article, (0.5, 0.4, 0.1))
    fill(engine, model, size=10)
    article, reason = rows(
        engine, "select article_id, reason from label_queue order by priority desc limit 1"
    )[0]
    with engine.begin() as connection:
        labels.write_labels(
            connection, [labels.NewLabel(article, "story", "anna", NOW, "desk", sentiment="neutral")], NOW
        )
    assert rows(engine, "select queue_reason from labels") == [(reason,)]
    assert rows(engine, "select count(*) from label_queue where done_at is null") == [(9,)]
    assert sum(fill(engine, model, size=10).values()) == 1


def asked(engine, who):
    with engine.connect() as connection:
        return [row["article_id"] for row in desk_labels.queue(connection, who, limit=100)]


def test_who_skips_everything_or_is_asked_what_only_others_may_answer_is_asked_anew(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(60)])
    for article in articles:
        score(engine, model, article, (0.4, 0.3, 0.3))
    fill(engine, model, size=5)
    first = asked(engine, "anna")
    assert len(first) == 5
    with engine.begin() as connection:
        for article in first[:4]:
            desk_labels.skip(connection, article, who="anna", as_of=NOW)
        # labelled, and back in the queue for a second opinion: nothing that anna may answer
        desk_labels.add_label(connection, first[4], "neutral", who="anna", as_of=NOW)
        connection.execute(sa.text("update label_queue set done_at = null"))
    assert asked(engine, "anna") == []
    assert len(asked(engine, "bert")) == 5
    assert sum(fill(engine, model, size=5, at=NOW + timedelta(hours=1)).values()) == 5
    second = asked(engine, "anna")
    assert len(second) == 5
    assert not set(second) & set(first)
    assert len(asked(engine, "bert")) == 10, "others are still asked what anna passed over"
    assert fill(engine, model, size=5, at=NOW + timedelta(hours=2)) == {}, "it is full"
    fill(engine, model, size=6, at=NOW + timedelta(days=14, minutes=30))
    assert asked(engine, "bert") == second, "what anna passed over waits as long as the queue looks back"


def test_who_labels_is_shown_the_title_that_is_read_and_taught(engine):
    """A correction changes the article, and not what the model read and will learn: its title must not be labelled for it."""
    _, (article, *_) = uncertain_queue(engine, 5)
    with engine.begin() as connection:
        (before,) = rows(engine, "select title from articles where id = :id", id=article)[0]
        connection.execute(sa.text("update articles set title = 'Corrected: the opposite', corrected = true"))
        shown = desk_labels.queue(connection, "anna", limit=1)[0]
    assert (shown["title"], shown["text"].partition("\n")[0]) == (before, before)


def uncertain_queue(engine, size):
    """A champion and a full queue of `size` places; the articles, in the order asked for."""
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(30)])
    for article in articles:
        score(engine, model, article, (0.4, 0.3, 0.3))
    fill(engine, model, size=size)
    return model, asked(engine, "anna")


def test_an_old_place_that_somebody_skips_waits_for_others_from_then_on(engine):
    model, (place, disputed, *_) = uncertain_queue(engine, 5)
    late = NOW + timedelta(days=15)
    with engine.begin() as connection:
        desk_labels.skip(connection, place, who="anna", as_of=late)
        desk_labels.dispute(connection, disputed, who="anna", as_of=late)
        desk_labels.skip(connection, disputed, who="carl", as_of=late + timedelta(days=1))
        assert desk_labels.undispute(connection, disputed, who="anna")
    fill(engine, model, size=5, at=late + timedelta(hours=1))
    assert {place, disputed} <= set(asked(engine, "bert"))
    with engine.begin() as connection:
        desk_labels.skip(connection, place, who="bert", as_of=late + timedelta(days=10))
    fill(engine, model, size=5, at=late + timedelta(days=13))
    assert place in asked(engine, "carl")
    fill(engine, model, size=5, at=late + timedelta(days=14, hours=1))
    assert place not in asked(engine, "carl"), "from the first skip, not the last"


def test_a_skip_taken_back_opens_the_place_again_unless_it_needs_no_label(engine):
    model, (free, labelled, kept, *_) = uncertain_queue(engine, 5)
    late = NOW + timedelta(days=20)
    with engine.begin() as connection:
        for article in (free, labelled, kept):
            desk_labels.skip(connection, article, who="anna", as_of=NOW)
        desk_labels.skip(connection, free, who="carl", as_of=NOW)
        desk_labels.add_label(connection, labelled, "neutral", who="bert", as_of=NOW)
        retrainings.freeze(connection, {kept: "story"}, NOW)
    fill(engine, model, size=5, at=late)
    assert not {free, labelled, kept} & {row[0] for row in rows(engine, OPEN)}
    with engine.begin() as connection:
        for article in (free, labelled, kept):
            assert desk_labels.unskip(connection, article, who="anna", as_of=late)
        assert not desk_labels.unskip(connection, free, who="anna", as_of=late)
    fill(engine, model, size=5, at=late + timedelta(hours=1))
    assert {free, labelled, kept} & {row[0] for row in rows(engine, OPEN)} == {free}
    assert free in asked(engine, "anna")
    assert free not in asked(engine, "carl")


def test_an_old_place_whose_label_is_taken_back_stays_open_though_others_skipped_it(engine):
    model, (place, *_) = uncertain_queue(engine, 5)
    late = NOW + timedelta(days=20)
    with engine.begin() as connection:
        desk_labels.skip(connection, place, who="bert", as_of=NOW)
        label = desk_labels.add_label(connection, place, "neutral", who="anna", as_of=late)
        assert desk_labels.retract_label(connection, label, who="anna", as_of=late)
    fill(engine, model, size=5, at=late + timedelta(hours=1))
    assert place in asked(engine, "anna")


def test_articles_asked_about_again_come_beside_the_new_ones_and_never_pile_up(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(200)])
    for i, article in enumerate(articles):
        # those that were labelled are older than the queue looks back: the random draw does not hit them
        score(engine, model, article, (0.97, 0.02, 0.01) if i < 60 else (0.4, 0.3, 0.3))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "update stories set available_at = available_at - interval '30 days'"
                " where first_article_id = any(:ids)"
            ),
            {"ids": articles[:60]},
        )
        for who, verdict in (("anna", "negative"), ("bob", "positive")):
            given = [labels.NewLabel(a, "story", who, NOW, "desk", sentiment=verdict) for a in articles[:60]]
            labels.write_labels(connection, given, NOW)

    def unanswered():
        with engine.connect() as connection:
            return labels.count_unanswered(connection)

    assert fill(engine, model)["disputed"] == 2
    assert unanswered() == 20
    for day in range(1, 6):  # nobody answers what is disputed; only anna comes, and skips
        with engine.begin() as connection:
            for article in asked(engine, "anna"):
                desk_labels.skip(connection, article, who="anna", as_of=NOW + timedelta(days=day))
        fill(engine, model, at=NOW + timedelta(days=day))
        assert unanswered() == 20, "also where the random draw hit what anna skipped"
        assert fill(engine, model, at=NOW + timedelta(days=day)) == {}, "a second run changes nothing"
        assert len(rows(engine, OPEN + " and reason = 'disputed'")) == 2


def test_places_that_need_no_label_are_closed_while_the_queue_is_full_and_do_not_keep_it_so(engine):
    model, places = uncertain_queue(engine, 5)
    with engine.begin() as connection:
        desk_labels.skip(connection, places[0], who="anna", as_of=NOW)
    assert fill(engine, model, size=4, at=NOW + timedelta(days=15)) == {}, "it is full"
    assert places[0] not in asked(engine, "bert")


def test_a_label_taken_back_puts_its_article_into_the_queue_unless_it_is_kept_for_evaluation(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(10)])
    for article in articles:
        score(engine, model, article, (0.4, 0.3, 0.3))
    fill(engine, model, size=3)
    free, kept, strange = asked(engine, "anna")
    with engine.begin() as connection:
        made = [
            desk_labels.add_label(connection, article, "neutral", who="anna", as_of=NOW)
            for article in (free, kept)
        ]
        retrainings.freeze(connection, {kept: "story", strange: "story"}, NOW)
        assert all(desk_labels.retract_label(connection, label, who="anna", as_of=NOW) for label in made)
        assert sum(labels.open_places(connection).values()) == 1
        assert desk_labels.waiting(connection) == labels.open_places(connection)
    assert asked(engine, "anna") == asked(engine, "bert") == [free]
    with engine.begin() as connection:  # as an undo left it before
        connection.execute(sa.text("update label_queue set done_at = null"))
    assert sum(fill(engine, model, size=3).values()) == 2
    assert not {kept, strange} & {row[0] for row in rows(engine, OPEN)}


def test_what_a_person_asked_others_waits_for_them_however_long(engine):
    model, (article, *_) = uncertain_queue(engine, 5)
    with engine.begin() as connection:
        desk_labels.dispute(connection, article, who="anna", as_of=NOW)
    fill(engine, model, at=NOW + timedelta(days=90))
    assert article in asked(engine, "bert")


def test_what_was_queued_anew_since_is_not_taken_back_with_an_old_question(engine):
    _, (article, *_) = uncertain_queue(engine, 5)
    with engine.begin() as connection:
        desk_labels.dispute(connection, article, who="anna", as_of=NOW)
        labels.write_labels(
            connection, [labels.NewLabel(article, "story", "bert", NOW, "desk", sentiment="neutral")], NOW
        )
        labels.enqueue(connection, [Queued(article, "disputed", 0.5)], NOW - timedelta(days=14), NOW)
        assert not desk_labels.undispute(connection, article, who="anna")
    assert article in asked(engine, "carl")


def test_disputed_articles_come_back_and_agreement_names_them(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(30)])
    for article in articles:
        score(engine, model, article, (0.5, 0.4, 0.1))
    with engine.begin() as connection:
        for who, verdict in (("anna", "negative"), ("bob", "neutral")):
            given = [labels.NewLabel(a, "story", who, NOW, "desk", sentiment="neutral") for a in articles[:4]]
            given.append(labels.NewLabel(articles[4], "story", who, NOW, "desk", sentiment=verdict))
            labels.write_labels(connection, given, NOW)
        found = agreement(connection)
        assert labels.read_votes(connection, shared=True)["story"][0] == Vote(
            (articles[0], None), "anna", "neutral"
        )
    assert found["story"]["disputed"] == [articles[4]]
    assert found["story"]["pairs"][0]["agreement"] == pytest.approx(0.8)
    first, again = fill(engine, model), fill(engine, model, size=22)
    assert first.get("disputed", 0) + again.get("disputed", 0) == 1, "also where the random draw hit it first"
    assert rows(
        engine, "select article_id from label_queue where reason = 'disputed' and done_at is null"
    ) == [(articles[4],)]


def test_drawing_at_random_marks_labels_that_were_asked_for_another_reason(engine):
    model = add_model(engine)
    articles = add_articles(engine, add_feed(engine), [f"Story number {i}\nText {i}." for i in range(10)])
    for article in articles:
        score(engine, model, article, (0.5, 0.4, 0.1))
    with engine.begin() as connection:
        given = [
            labels.NewLabel(a, "story", "anna", NOW, "desk", sentiment="neutral", queue_reason="uncertain")
            for a in articles
        ]
        labels.write_labels(connection, given, NOW)
    fill(engine, model, size=30)
    drawn = rows(engine, "select article_id from label_queue where reason = 'random' order by 1")
    assert len(drawn) == 3
    assert rows(engine, "select article_id from labels where queue_reason = 'random' order by 1") == drawn
    assert rows(engine, "select count(*) from label_queue where done_at is null") == [(0,)]
