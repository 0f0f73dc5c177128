"""The mix of the labelling queue."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.label.queue import Candidate, choose, share_out, uncertainty
from pipeline.label.suspects import find_suspects
from pipeline.values import REASONS, parse_mix

MIX = parse_mix("uncertain=40, alert=20, disputed=10, drift=10, suspect=10, random=10")


def crowd(n: int, **changes) -> list[Candidate]:
    rng = random.Random(7)
    return [Candidate(i, i, rng.random(), rng.random(), **changes) for i in range(n)]


def test_the_mix_is_kept_and_spread_over_the_queue():
    pool = crowd(500)
    special = [
        Candidate(1000 + i, 1000 + i, 0.5, 0.999, alert=i < 40, drift=0.3 * (40 <= i < 80), asked=i >= 80,
                  disputed=80 <= i < 120, suspect=0.9 * (i >= 120))
        for i in range(160)
    ]  # fmt: skip
    queued = choose(pool + special, MIX, 100)
    counts = {reason: sum(q.reason == reason for q in queued) for reason in REASONS}
    assert counts == {"uncertain": 40, "alert": 20, "disputed": 10, "drift": 10, "suspect": 10, "random": 10}
    assert [q.priority for q in queued] == sorted((q.priority for q in queued), reverse=True)
    first = queued[:50]
    assert abs(sum(q.reason == "random" for q in first) - 5) <= 1, (
        "half of the queue has half of the random ones"
    )


def test_reasons_without_candidates_leave_their_places_to_uncertainty():
    queued = choose(crowd(300), MIX, 100)
    assert len(queued) == 100
    assert sum(q.reason == "random" for q in queued) == 10
    assert sum(q.reason == "uncertain" for q in queued) == 90
    sure = sorted(c.uncertainty for c in crowd(300))
    asked = {q.article_id for q in queued if q.reason == "uncertain"}
    assert min(c.uncertainty for c in crowd(300) if c.article_id in asked) > sure[150]


def test_reasons_with_places_of_their_own_take_none_of_the_others():
    special = [
        Candidate(1000 + i, 1000 + i, 0.5, 1.0, asked=True, disputed=i < 40, suspect=0.9 * (i >= 40))
        for i in range(80)
    ]
    queued = choose(crowd(300) + special, MIX, 100, {"disputed": 3, "suspect": 0})
    counts = {reason: sum(q.reason == reason for q in queued) for reason in REASONS}
    assert counts == {"uncertain": 90, "alert": 0, "disputed": 3, "drift": 0, "suspect": 0, "random": 10}
    again = choose(special, MIX, 0, {"disputed": 3, "suspect": 2})
    assert sorted(q.reason for q in again) == ["disputed"] * 3 + ["suspect"] * 2, "also in a full queue"


def test_being_drawn_at_random_does_not_depend_on_being_asked_or_uncertain():
    # the same stories, once nobody asked for any, once the uncertain half was asked for: the same draw
    fresh = crowd(400)
    asked = [
        Candidate(c.article_id, c.story_id, c.uncertainty, c.point, asked=c.uncertainty > 0.5) for c in fresh
    ]
    draw = lambda pool: {q.article_id for q in choose(pool, MIX, 100) if q.reason == "random"}  # noqa: E731
    assert draw(fresh) == draw(asked)
    known = {c.article_id for c in asked if c.asked}
    assert sum(q.article_id not in known for q in choose(asked, MIX, 100)) == 100, (
        "new ones take their places"
    )


def test_a_story_out_of_the_draw_is_drawn_by_no_chance():
    out = [replace(c, point=1.0) for c in crowd(50)]
    assert {q.reason for q in choose(out, MIX, 20)} == {"uncertain"}


def test_what_was_asked_for_is_asked_again_only_where_people_disagree_or_err():
    asked = [replace(c, point=1.0, asked=True, alert=True, drift=0.4) for c in crowd(50)]
    assert choose(asked, MIX, 20) == []
    disputed = [replace(c, disputed=True) for c in asked]
    assert {q.reason for q in choose(disputed, MIX, 20)} == {"disputed"}


@given(
    st.lists(
        st.builds(
            Candidate,
            article_id=st.integers(0, 60),
            story_id=st.just(0),
            uncertainty=st.floats(0, 1),
            point=st.floats(0, 0.999),
            alert=st.booleans(),
            disputed=st.booleans(),
            drift=st.sampled_from([0.0, 0.4]),
            suspect=st.sampled_from([0.0, 0.8]),
            asked=st.booleans(),
            frozen=st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(0, 30),
)
def test_one_article_per_story_and_never_a_frozen_one(candidates, size):
    # an article belongs to one story: four articles each
    candidates = [replace(c, story_id=c.article_id // 4) for c in candidates]
    frozen = {c.article_id for c in candidates if c.frozen} - {
        c.article_id for c in candidates if not c.frozen
    }
    found = choose(candidates, MIX, size)
    queued = [item.article_id for item in found]
    assert len({article // 4 for article in queued}) == len(queued)
    assert sum(item.reason != "random" for item in found) <= size
    assert not frozen & set(queued)


@given(st.dictionaries(st.sampled_from(REASONS), st.floats(0.1, 100), min_size=1), st.integers(0, 500))
def test_places_add_up(shares, size):
    total = sum(shares.values())
    places = share_out({reason: share / total for reason, share in shares.items()}, size)
    assert sum(places.values()) == size


@pytest.mark.parametrize("text", ["", "uncertain", "sometimes=10", "random=-1", "random=0"])
def test_a_mix_that_cannot_be_read_is_refused(text):
    with pytest.raises(SettingsError, match="UNDERTOW_LABEL_QUEUE_MIX"):
        parse_mix(text)


def test_uncertainty_is_the_lack_of_a_margin():
    assert uncertainty([1, 0, 0]) == 0
    assert uncertainty([0.5, 0.5, 0]) == 1
    assert uncertainty([0.2, 0.7, 0.1]) == pytest.approx(0.5)


def test_a_wrong_label_is_suspected():
    pytest.importorskip("cleanlab")
    sure = {"negative": (0.9, 0.05, 0.05), "neutral": (0.05, 0.9, 0.05), "positive": (0.05, 0.05, 0.9)}
    labels = [name for name in sure for _ in range(30)]
    probabilities = [sure[name] for name in labels]
    labels[0] = labels[1] = "positive"
    found = find_suspects(labels, probabilities)
    assert found[0] > 0.5
    assert found[1] > 0.5
    assert sum(value > 0 for value in found) <= 3
    assert find_suspects(labels[:5], probabilities[:5]) == [0.0] * 5, "too few labels to suspect anything"
