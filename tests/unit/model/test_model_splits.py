"""Splits that do not flatter."""

from __future__ import annotations

import pytest

from model.errors import Leak
from model.example import Example
from model.splits import (
    count_labels,
    find_leaks,
    group_stories,
    refuse_leak,
    split_by_story,
    split_by_time,
    words,
)


def examples(n):
    return [Example(f"t{i}", story=f"s{i // 2}", published_at=f"2026-01-{1 + i:02d}") for i in range(n)]


def test_near_copies_share_a_story_and_others_do_not():
    keys = group_stories(
        [
            "Acme to buy Borel for 3 billion dollars in cash",
            "ACME to buy Borel for 4 billion dollars in cash https://t.co/x",
            "Central bank holds its key rate as inflation slows",
        ]
    )
    assert keys[0] == keys[1] != keys[2]


def test_chinese_near_copies_share_a_story():
    keys = group_stories(["腾讯第一季度利润上升百分之十", "腾讯第一季度利润上升百分之二十", "央行宣布降息"])
    assert keys[0] == keys[1] != keys[2]


def test_a_given_key_holds_texts_together():
    keys = group_stories(
        ["profits rise at acme corp", "borel lost a big order today", "rain"], ["b", "b", ""]
    )
    assert keys[0] == keys[1] != keys[2]


def test_stories_that_share_half_of_their_words_stay_apart():
    """What the hashes take for a near copy, as they do with most of these, is counted out before it is believed."""
    events = ["shares jump before the open", "bonds drop after a downgrade", "staff walk out again today",
              "chief leaves for a rival", "plant burns down in Ohio", "lenders ask for their money"]  # fmt: skip
    texts = [f"the board of acme industrial holdings said that {event}" for event in events]
    assert len(set(group_stories(texts))) == len(texts)


def test_figures_do_not_make_a_new_story():
    assert words("Net up 15% to 6 crore") == words("net up 7% to 93 crore")


def test_the_link_of_a_text_says_nothing_of_its_story():
    assert words("Acme buys Borel https://t.co/Xy9") == ["acme", "buys", "borel"]
    keys = group_stories([f"Acme buys Borel https://example.org/{page}" for page in ("a/b/c/d", "e-f-g-h-i")])
    assert keys[0] == keys[1]


def test_a_story_is_never_taken_apart_and_the_split_does_not_move():
    train, dev = split_by_story(examples(200), 0.2)
    assert not {e.story for e in train} & {e.story for e in dev}
    assert 15 <= len(dev) <= 70
    grown_train, grown_dev = split_by_story(examples(400), 0.2)
    assert set(dev) <= set(grown_dev)
    assert set(train) <= set(grown_train)


def test_by_time_the_newest_stories_are_judged_on():
    train, dev = split_by_time(examples(20), 0.25)
    assert len(train) == 16  # 10 stories, the newest two or three whole
    assert min(e.published_at for e in dev) > max(e.published_at for e in train)


def test_a_story_that_began_before_the_cut_is_trained_on_with_its_late_copies():
    began = [Example("first", story="old", published_at="2026-01-01")]
    late = Example("copy", story="old", published_at="2026-03-01")
    train, dev = split_by_time([*began, *examples(18), late], 0.1)
    assert late in train
    assert {e.story for e in dev} == {"s8"}


def test_a_leak_is_refused_and_shown():
    train = ["Acme to buy Borel for 3 billion dollars in cash today"]
    judged = [
        "acme to buy borel for 4 billion dollars in cash today",
        "Oil falls as stocks build up in the west",
    ]
    assert [pair[0] for pair in find_leaks(train, judged)] == [judged[0]]
    with pytest.raises(Leak, match="1 evaluation texts"):
        refuse_leak(train, judged)
    refuse_leak(train, judged[1:])


def test_labels_are_counted_per_head():
    counts = count_labels([Example("a", sentiment="neutral", topics=("macro", "energy")), Example("b")])
    assert counts == {"sentiment": {"neutral": 1}, "company": {}, "topics": {"energy": 1, "macro": 1}}
