"""What is learnt from and what is judged on: never the same, never a copy of it, never what was trained on before."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.label.dataset import (
    Copies,
    LabelledArticle,
    LabelRow,
    choose_frozen,
    make_dataset,
    mark_near_copies,
    merge_labels,
)
from pipeline.label.gate import ClassRecall, Evidence, Kind, Replay
from pipeline.label.learn import find_copies
from pipeline.label.measure import read_evidence

START = datetime(2026, 3, 1, tzinfo=UTC)


def row(article: int, verdict: str | None = "neutral", **changes) -> LabelRow:
    values = {
        "label_id": article,
        "article_id": article,
        "story_id": article,
        "text": f"Orvex story {article}",
        "mentions": (("Orvex", ((0, 5),)),),
        "target": "story",
        "company": None,
        "sentiment": verdict,
        "topics": None,
        "labelled_by": "anna",
        "queue_reason": None,
        "available_at": START + timedelta(hours=article),
        "may_train": True,
        "frozen": None,
        "point": (article * 7919 % 1000) / 1000,
        "oldest_label": article,
    }
    return LabelRow(**{**values, **changes})


def no_copies(articles: list[LabelledArticle]) -> Copies:
    return Copies(tuple(str(article.article_id) for article in articles))


def test_the_majority_speaks_and_what_is_disputed_is_left_out():
    rows = [
        row(1, "negative"),
        row(1, "negative", labelled_by="bob"),
        row(1, "positive", labelled_by="cat"),
        row(1, "negative", target="company", company="Orvex"),
        row(1, "neutral", target="company", company="Orvex", labelled_by="bob"),
        row(1, None, target="topics", topics=("markets", "ipo")),
        row(1, None, target="topics", topics=("markets",), labelled_by="bob"),
        row(1, "positive", target="company", company="Not in the text"),
    ]
    (article,) = merge_labels(rows)
    assert (article.sentiment, article.companies, article.topics) == ("negative", (), ("markets",))
    assert (article.labels, article.disputed) == (8, 1)


def test_an_example_carries_companies_with_their_places():
    (article,) = merge_labels([row(1, "negative", target="company", company="Orvex")])
    example = article.as_example()
    assert example["companies"] == [{"name": "Orvex", "spans": [[0, 5]], "sentiment": "negative"}]
    assert "sentiment" not in example


def test_random_labels_the_newest_and_some_by_story_are_kept():
    articles = merge_labels([row(n, queue_reason="random" if n < 10 else "uncertain") for n in range(200)])
    frozen = choose_frozen(articles, trained_until=0, copies=no_copies(articles))
    sets = {name: [a for a, of in frozen.items() if of == name] for name in ("random", "time", "story")}
    assert sorted(sets["random"]) == list(range(1, 10)), "label 0 was seen by an earlier retraining"
    assert sorted(sets["time"]) == list(range(200 - len(sets["time"]), 200))
    assert len(sets["story"]) == len(sets["time"]) == 28
    assert len(frozen) >= 60, "the first 200 labels are enough to decide on"


def test_what_was_trained_on_is_never_kept_for_evaluation():
    articles = merge_labels([row(n) for n in range(1, 101)])
    frozen = choose_frozen(articles, trained_until=60, copies=no_copies(articles))
    assert frozen
    assert min(frozen) > 60


def test_a_corrected_label_is_learnt_again_and_never_kept_for_evaluation():
    rows = [row(n) for n in range(1, 101) if n != 3]
    rows.append(row(3, "negative", label_id=101, oldest_label=3, queue_reason="random"))
    articles = merge_labels(rows)
    copies = no_copies(articles)
    frozen = choose_frozen(articles, 60, copies)
    assert frozen
    assert 3 not in frozen
    dataset = make_dataset(articles, frozen, 60, mark_near_copies(articles, frozen, copies))
    assert 3 in {a.article_id for a in dataset.new}


# ten texts that share no pair of words
TEXTS = [
    " ".join(f"{word}{letter}" for word in ("acme", "sold", "its", "mill", "to")) for letter in "abcdefghij"
]


def test_near_copies_of_what_was_trained_on_are_never_kept_for_evaluation():
    rows = [row(n, text=TEXTS[n]) for n in range(1, 8)]
    rows.append(row(8, text="Orvex profit falls 12 % in the third quarter of the year", oldest_label=1))
    rows.append(
        row(9, text="Orvex profit falls 17 % in the third quarter of the year", queue_reason="random")
    )
    articles = merge_labels(rows)
    copies = find_copies(articles, [])
    frozen = choose_frozen(articles, 1, copies)
    assert 9 not in frozen
    assert 9 in choose_frozen(articles, 0, copies), "else it would be"
    dataset = make_dataset(articles, frozen, 1, mark_near_copies(articles, frozen, copies))
    assert {8, 9} <= {a.article_id for a in (*dataset.new, *dataset.old)}


def test_near_copies_of_texts_whose_labels_were_taken_back_are_on_their_side_too():
    text = "Orvex profit falls {} % in the third quarter of the year"
    articles = merge_labels([row(1, text=text.format(12), queue_reason="random"), row(2, text=TEXTS[2])])
    taught = find_copies(articles, [(text.format(17), False)])
    assert 1 not in choose_frozen(articles, 0, taught)
    judged = find_copies(articles, [(text.format(17), True)])
    assert mark_near_copies(articles, {}, judged) == [True, False]


def test_near_copies_of_kept_ones_are_not_learnt_from():
    text = "Orvex profit falls {} % in the third quarter of the year"
    articles = merge_labels(
        [row(1, text=text.format(12)), row(2, text=TEXTS[2]), row(3, text=text.format(17))]
    )
    copies = find_copies(articles, [])
    assert mark_near_copies(articles, {3: "time"}, copies) == [True, False, True]


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 15), st.booleans(), st.sampled_from([None, "time"])),
        max_size=60,
    ),
    st.integers(0, 40),
)
def test_no_story_is_on_both_sides(given_rows, trained_until):
    articles = merge_labels(
        [row(a, story_id=s, queue_reason="random" if r else None, frozen=f) for a, s, r, f in given_rows]
    )
    frozen = choose_frozen(articles, trained_until, no_copies(articles))
    dataset = make_dataset(articles, frozen, trained_until, [False] * len(articles))
    learnt = {a.story_id for a in (*dataset.new, *dataset.old)}
    judged = {a.story_id for a in dataset.frozen}
    assert not learnt & judged
    assert all(a.first_label <= trained_until for a in dataset.old)


def test_copies_of_frozen_ones_and_unlicensed_texts_are_left_out_and_counted():
    articles = merge_labels([row(1), row(2, may_train=False), row(3), row(4, frozen="time")])
    dataset = make_dataset(articles, {}, 0, [False, False, True, False])
    assert [a.article_id for a in dataset.new] == [1]
    assert dict(dataset.left_out) == {"licence forbids training": 1, "near copy of a frozen article": 1}
    assert dataset.frozen_sets == ("time",)


def test_old_labels_are_replayed_in_proportion():
    articles = merge_labels([row(n) for n in range(1, 5001)])
    dataset = make_dataset(articles, {}, 4800, [False] * 5000)
    assert (len(dataset.new), len(dataset.old)) == (200, 4800)
    assert dataset.replay_weight == 600 / 4800


def test_evidence_survives_json():
    recall = ClassRecall(20, 0.8, 0.9, 3, 1)
    evidence = Evidence(
        articles=100,
        won=9,
        lost=1,
        macro_f1=(0.7, 0.8),
        classes={"negative": recall},
        behaviour={"negation": Kind(35, 0.9, 0.9, 0, 0)},
        calibration=(0.03, 0.03),
        calibration_by_chance=0.04,
        speed=(90.0, 91.0),
        replay=Replay(14, 3, 4, 1, 0),
    )
    assert read_evidence(json.loads(json.dumps({"evidence": asdict(evidence)}))) == evidence
