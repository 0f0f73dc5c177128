"""Which stories of a batch the model looks at, and what its verdicts mean for the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.score.plan import TOPIC_THRESHOLD, Failed, keep_topics, plan_batch, read_verdicts
from pipeline.types import Apart, KnownScore, Probabilities, StoryMention, WaitingStory

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BAD = Probabilities(0.8, 0.15, 0.05)
GOOD = Probabilities(0.1, 0.2, 0.7)
ACME = StoryMention(7, "Acme", ((0, 4),))


@dataclass(frozen=True)
class Verdict:
    sentiment: Probabilities
    companies: dict[str, Probabilities] = field(default_factory=dict)
    topics: dict[str, float] = field(default_factory=dict)


def story(number: int, text: str, language: str | None = "en", mentions=()) -> WaitingStory:
    return WaitingStory(number, text, text.encode()[:16], language, NOW, tuple(mentions))


def test_identical_texts_are_classified_once_and_both_get_the_verdict():
    plan = plan_batch([story(1, "Loss widens"), story(2, "Loss widens")], ["en"], {})
    assert [s.story_id for s in plan.to_classify] == [1]
    scored, apart = read_verdicts(plan, [Verdict(BAD)])
    assert {s.story_id: s.sentiment for s in scored} == {1: BAD, 2: BAD}
    assert apart == []


def test_identical_texts_with_other_companies_are_both_classified():
    plan = plan_batch([story(1, "Acme falls"), story(2, "Acme falls", mentions=[ACME])], ["en"], {})
    assert [s.story_id for s in plan.to_classify] == [1, 2]


def test_a_language_the_model_does_not_read_is_set_apart_with_its_name():
    plan = plan_batch([story(1, "亏损扩大", "zh"), story(2, "Loss widens", None)], ["en"], {})
    assert plan.apart == (Apart(1, "language", "zh is not read by this model"),)
    assert [s.story_id for s in plan.to_classify] == [2]


def test_blank_text_is_set_apart():
    assert plan_batch([story(1, " \n")], ["en"], {}).apart == (Apart(1, "empty"),)


def test_a_known_text_is_not_classified_again_unless_its_companies_changed():
    known = {b"Acme falls": KnownScore(BAD, {}, {"markets": 0.9})}
    plan = plan_batch([story(1, "Acme falls"), story(2, "Acme falls", mentions=[ACME])], ["en"], known)
    assert [s.story_id for s in plan.already] == [1]
    assert [s.story_id for s in plan.to_classify] == [2]
    known = {b"Acme falls": KnownScore(BAD, {7: BAD}, {"markets": 0.9})}
    plan = plan_batch([story(1, "Acme falls"), story(2, "Acme falls", mentions=[ACME])], ["en"], known)
    assert [s.story_id for s in plan.already] == [2]
    assert [s.story_id for s in plan.to_classify] == [1], "the company is watched no longer"


def test_a_text_that_breaks_the_model_takes_its_copies_along_and_nobody_else():
    plan = plan_batch([story(1, "x"), story(2, "x"), story(3, "y", mentions=[ACME])], ["en"], {})
    scored, apart = read_verdicts(plan, [Failed("boom"), Verdict(GOOD, {"Acme": BAD})])
    assert [(s.story_id, s.companies) for s in scored] == [(3, {7: BAD})]
    assert apart == [Apart(1, "failure", "boom"), Apart(2, "failure", "boom")]


def test_topics_keep_those_above_the_threshold_and_at_least_the_likeliest():
    assert keep_topics({"a": TOPIC_THRESHOLD, "b": 0.7, "c": 0.1}) == {"a": TOPIC_THRESHOLD, "b": 0.7}
    assert keep_topics({"a": 0.1, "b": 0.2}) == {"b": 0.2}
    assert keep_topics({}) == {}
