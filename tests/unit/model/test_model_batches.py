"""Examples to tensors: masks, targets, augmentation, the order of an epoch."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch

from model.batches import (
    Collator,
    EpochSampler,
    class_weights,
    join_examples,
    mention_mask,
    story_targets,
    swap_names,
)
from model.encoders import load_base
from model.example import CompanyLabel, Example, find_spans


def named(text, **companies):
    labels = tuple(CompanyLabel(n, find_spans(text, n), s) for n, s in companies.items())
    return Example(text, companies=labels)


def stands(example):
    return {c.name: [example.text[a:b] for a, b in c.spans] for c in example.companies}


def test_a_mention_is_every_token_it_touches_and_no_special_one():
    offsets = [(0, 0), (0, 2), (2, 4), (5, 9), (0, 0)]
    assert mention_mask(offsets, ((1, 5),)) == [0, 1, 1, 0, 0]
    assert mention_mask(offsets, ()) == [0, 0, 0, 0, 0]


def test_a_teacher_counts_its_share_beside_a_label_and_wholly_without_one():
    opinion = (0.5, 0.25, 0.25)
    taught = [
        Example("x", "negative", taught=opinion),
        Example("x", taught=opinion),
        Example("x", "negative"),
    ]
    sentiment = story_targets(taught, teacher_share=0.4)["sentiment"]
    assert sentiment.tolist() == [pytest.approx([0.8, 0.1, 0.1]), list(opinion), [1, 0, 0]]


def test_targets_are_masked_where_a_label_is_missing(tiny_base):
    tokenizer = load_base(str(tiny_base)).tokenizer
    rows = [
        Example("acme rises", sentiment="positive", companies=(CompanyLabel("acme", ((0, 4),), "positive"),)),
        Example("oil falls", topics=("energy", "markets")),
    ]
    batch = Collator(tokenizer, 16)(rows)
    assert batch["sentiment_target"].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert batch["company_target"].tolist() == [[[0, 0, 1]], [[0, 0, 0]]]
    assert batch["topics_target"].sum(-1).tolist() == [0, 1]
    assert batch["mentions"][0, 0].sum() == 1


def test_a_mention_beyond_the_limit_is_not_learnt_from(tiny_base):
    tokenizer = load_base(str(tiny_base)).tokenizer
    text = "the " * 30 + "acme"
    batch = Collator(tokenizer, 8)([named(text, acme="negative")])
    assert batch["company_target"].sum() == 0


def test_names_are_swapped_with_their_spans():
    random.seed(3)
    example = named("Acme sues Borel; Acme wins", Acme="positive", Borel="negative")
    swapped = [swap_names(example, ("Xyzcorp", "Q"), 1.0) for _ in range(20)]
    assert any(e.text != example.text for e in swapped)
    for e in swapped:
        assert all(text == name for name, texts in stands(e).items() for text in texts)
        assert [c.sentiment for c in e.companies] == ["positive", "negative"]
        assert {c.name for c in e.companies} <= {"Xyzcorp", "Q"}, "whole names, not what is left of them"


def test_overlapping_names_are_left_alone():
    example = named("State Bank of India falls", **{"State Bank of India": "negative", "India": "neutral"})
    assert swap_names(example, ("X",), 1.0) == example


def test_joined_texts_keep_each_companys_own_news():
    joined = join_examples(
        named("Acme rises.", Acme="positive"), named("Borel falls", Borel="negative"), "; "
    )
    assert joined.text == "Acme rises; Borel falls"
    assert stands(joined) == {"Acme": ["Acme"], "Borel": ["Borel"]}
    assert joined.sentiment is None


def test_joined_texts_have_a_sentiment_where_both_have_the_same():
    good, bad = Example("Acme rises", "positive"), Example("Borel falls", "negative")
    assert join_examples(good, bad, "; ").sentiment is None
    assert join_examples(good, Example("Borel gains", "positive"), "; ").sentiment == "positive"


def test_a_company_in_both_parts_is_judged_in_neither():
    joined = join_examples(named("Acme rises", Acme="positive"), named("Acme falls", Acme="negative"), ", ")
    assert joined.companies == ()


def test_an_epoch_is_the_same_for_the_same_seed_and_another_for_the_next():
    sampler = EpochSampler([1.0] * 100, list(range(100)), 8, seed=5)
    first = list(sampler)
    assert first == list(sampler)
    assert sorted(first) == list(range(100))
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_weights_say_how_often_an_example_is_drawn():
    sampler = EpochSampler([3.0] * 10 + [0.5] * 20, [1] * 30, 4, seed=1)
    drawn = Counter(sampler)
    assert len(sampler) == sum(drawn.values()) == 40
    assert all(drawn[i] == 3 for i in range(10))
    assert sum(drawn[i] for i in range(10, 30)) == 10


def test_batches_hold_texts_of_like_length():
    lengths = [random.Random(i).randrange(1, 100) for i in range(400)]
    order = list(EpochSampler([1.0] * 400, lengths, 8, seed=1))
    spread = [max(b) - min(b) for i in range(0, 400, 8) if (b := [lengths[j] for j in order[i : i + 8]])]
    assert sum(spread) / len(spread) < 10


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_class_weights_favour_the_rare_and_average_to_one(power):
    counts = {"sentiment": {"negative": 10, "neutral": 80, "positive": 10}}
    weights = class_weights(counts, power)["sentiment"]
    mean = (weights[0] * 10 + weights[1] * 80 + weights[2] * 10) / 100
    assert mean == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(8**power)


def test_no_companies_at_all_make_an_empty_mask(tiny_base):
    batch = Collator(load_base(str(tiny_base)).tokenizer, 16)([Example("acme")])
    assert batch["mentions"].shape[:2] == torch.Size([1, 0])
