"""Agreement against published examples."""

from __future__ import annotations

import pytest

from pipeline.label.agreement import (
    Vote,
    agree_pairwise,
    cohen_kappa,
    find_disputes,
    krippendorff_alpha,
    majority,
)

# Krippendorff 2011, section C to E: four observers, twelve units, gaps.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
UNITS = [[int(v) for v in column if v != "."] for column in zip(*[o.split() for o in OBSERVERS], strict=True)]


@pytest.mark.parametrize(
    ("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_the_published_example(metric, published):
    assert krippendorff_alpha(UNITS, metric) == pytest.approx(published, abs=0.0006)


def test_alpha_of_two_observers_of_two_values():
    # Krippendorff 2011, section A: Meg and Owen, ten articles
    meg, owen = "0100000010", "1110010000"
    assert krippendorff_alpha(list(zip(meg, owen, strict=True))) == pytest.approx(0.095, abs=0.0006)


def test_alpha_of_two_observers_of_five_values():
    # Krippendorff 2011, section B: Ben and Gerry, twelve events
    ben, gerry = "aabbdcccedda", "babbbccceddd"
    assert krippendorff_alpha(list(zip(ben, gerry, strict=True))) == pytest.approx(0.692, abs=0.0006)


@pytest.mark.parametrize(
    ("yes_yes", "yes_no", "no_yes", "no_no", "kappa"),
    [(20, 5, 10, 15, 0.4), (45, 15, 25, 15, 0.1304), (25, 35, 5, 35, 0.2593)],
)
def test_kappa_of_published_tables(yes_yes, yes_no, no_yes, no_no, kappa):
    pairs = [("y", "y")] * yes_yes + [("y", "n")] * yes_no + [("n", "y")] * no_yes + [("n", "n")] * no_no
    assert cohen_kappa(pairs) == pytest.approx(kappa, abs=0.0001)


def test_what_cannot_be_told_is_none():
    assert cohen_kappa([]) is None
    assert cohen_kappa([("a", "a")] * 5) is None
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


def test_pairs_and_disputes():
    votes = [
        Vote("x", "ann", "negative"),
        Vote("x", "bob", "neutral"),
        Vote("y", "ann", "neutral"),
        Vote("y", "bob", "neutral"),
        Vote("y", "cat", "positive"),
        Vote("z", "ann", "positive"),
    ]
    pairs = agree_pairwise(votes)
    assert [(p.one, p.other, p.items, p.agreement) for p in pairs] == [
        ("ann", "bob", 2, 0.5),
        ("ann", "cat", 1, 0.0),
        ("bob", "cat", 1, 0.0),
    ]
    assert find_disputes(votes) == ["x"]
    assert majority(["a", "a", "b"]) == "a"
    assert majority(["a", "b"]) is None
