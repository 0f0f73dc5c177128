"""Drift by effect size: told when it is there, not when it is chance, and laid at the door of a new feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.label.drift import (
    LARGE,
    SMALL,
    Checked,
    Drift,
    Period,
    Seen,
    estimate_accuracy,
    measure_drift,
    stability_index,
    tell_drift,
)

START = datetime(2026, 3, 1, tzinfo=UTC)


def stories(n, rng, *, feed="wire", negative=0.25, words=40, topic="markets"):
    verdicts = rng.choice(["negative", "neutral", "positive"], n, p=[negative, 0.75 - negative, 0.25])
    return [
        Seen(feed, int(w), float(d), topic, str(v), float(c))
        for v, w, d, c in zip(
            verdicts, rng.normal(words, 8, n), rng.gamma(2, 1, n), rng.uniform(0.5, 1, n), strict=True
        )
    ]


def period(seen, days=0):
    return Period(START + timedelta(days=days), START + timedelta(days=days + 7), tuple(seen))


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_index_of_the_textbook():
    # Siddiqi 2006-style example: shares .2/.3/.5 against .3/.3/.4 give .1 ln 1.5 + .1 ln 1.25 = .0628
    before, now = ["a"] * 2000 + ["b"] * 3000 + ["c"] * 5000, ["a"] * 3000 + ["b"] * 3000 + ["c"] * 4000
    assert stability_index(before, now) == pytest.approx(0.0629 - 2 * 2e-4, abs=3e-4)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_chance_is_no_drift(rng, n):
    found = measure_drift(period(stories(4 * n, rng)), period(stories(n, rng), 30))
    assert all(drift.effect < SMALL for drift in found), found
    assert tell_drift(found, None) == []


def test_more_bad_news_is_told_as_output_not_as_input(rng):
    found = measure_drift(period(stories(4000, rng)), period(stories(1000, rng, negative=0.55), 30))
    large = {(drift.kind, drift.subject) for drift in found if drift.effect >= LARGE}
    assert ("output", "all") in large
    assert not [key for key in large if key[0] == "input"]
    assert tell_drift(found, None)[0].startswith("What the model says")


def test_what_a_new_feed_brings_is_named_as_such(rng):
    before = stories(4000, rng)
    now = stories(800, rng) + stories(500, rng, feed="blog", words=110, negative=0.6)
    found = measure_drift(period(before), period(now, 30))
    overall = next(d for d in found if (d.kind, d.subject) == ("input", "all"))
    assert overall.effect >= LARGE
    assert overall.detail["cause"] == "new feed blog"
    assert overall.detail["without_new_feeds"] < SMALL
    own = next(d for d in found if d.subject == "feed:blog")
    assert own.detail["cause"] == "new feed blog"
    assert any("new feed blog" in line for line in tell_drift(found, None))


def test_a_new_feed_does_not_excuse_what_others_do(rng):
    now = stories(800, rng, negative=0.6) + stories(200, rng, feed="blog")
    found = measure_drift(period(stories(4000, rng)), period(now, 30))
    overall = next(d for d in found if (d.kind, d.subject) == ("output", "all"))
    assert "cause" not in overall.detail
    assert overall.detail["without_new_feeds"] >= LARGE


def test_small_subjects_are_left_out(rng):
    found = measure_drift(
        period(stories(500, rng) + stories(50, rng, topic="ipo")), period(stories(500, rng), 30)
    )
    assert not [d for d in found if d.subject == "topic:ipo"]


def test_accuracy_comes_with_its_interval_and_is_told_when_it_fell():
    checked = [Checked("wire", "markets", i % 4 != 0) for i in range(200)]
    found = estimate_accuracy(checked)
    overall = next(d for d in found if d.subject == "all")
    assert overall.effect == 0.75
    assert overall.detail["low"] < 0.75 < overall.detail["high"]
    assert tell_drift(found, 0.75) == []
    assert "Retraining may help" in tell_drift(found, 0.9)[0]
    assert estimate_accuracy(checked[:20]) == [], "20 labels say nothing"
    assert tell_drift([Drift("output", "topic:ipo", 0.4)], None) == [
        "What the model says of topic ipo has moved (index 0.40)."
    ]
