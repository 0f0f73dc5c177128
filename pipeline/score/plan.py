"""Which stories of a batch the model has to look at, and what its verdicts mean for all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pipeline.types import Apart, KnownScore, Probabilities, StoryScore, WaitingStory

# A topic is stored when its calibrated probability reaches this; the likeliest one always is, so that each story has
# one. The probabilities of all topics sum to 1: a quarter lets up to three share a story and keeps out the tail.
TOPIC_THRESHOLD = 0.25


class ProbabilitiesLike(Protocol):
    """Three probabilities, as model.inference gives them."""

    @property
    def negative(self) -> float: ...
    @property
    def neutral(self) -> float: ...
    @property
    def positive(self) -> float: ...


class VerdictLike(Protocol):
    """A verdict, as model.inference gives it."""

    @property
    def sentiment(self) -> ProbabilitiesLike: ...
    @property
    def companies(self) -> Mapping[str, ProbabilitiesLike]: ...
    @property
    def topics(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Failed:
    """The model's answer to a text that broke it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`to_classify` are distinct texts; `same_as` maps the other stories of the batch to the one with their text."""

    to_classify: tuple[WaitingStory, ...] = ()
    same_as: Mapping[int, int] = field(default_factory=dict)
    already: tuple[StoryScore, ...] = ()
    apart: tuple[Apart, ...] = ()


def plan_batch(
    stories: Sequence[WaitingStory], languages: Sequence[str], known: Mapping[bytes, KnownScore]
) -> Plan:
    """Sorts out empty texts, languages that the model does not read, and texts that have a score already.

    An unknown language is given to the model: short English headlines are often too short to tell.
    """
    classify: dict[tuple[bytes, tuple[int, ...]], WaitingStory] = {}
    same_as: dict[int, int] = {}
    already: list[StoryScore] = []
    apart: list[Apart] = []
    for story in stories:
        key = (story.text_hash, tuple(mention.company_id for mention in story.mentions))
        if not story.text.strip():
            apart.append(Apart(story.story_id, "empty"))
        elif story.language is not None and story.language not in languages:
            apart.append(Apart(story.story_id, "language", f"{story.language} is not read by this model"))
        elif reused := _reuse(story, known):
            already.append(reused)
        elif key in classify:
            same_as[story.story_id] = classify[key].story_id
        else:
            classify[key] = story
    return Plan(tuple(classify.values()), same_as, tuple(already), tuple(apart))


def _reuse(story: WaitingStory, known: Mapping[bytes, KnownScore]) -> StoryScore | None:
    score = known.get(story.text_hash)
    # the watch list may have grown since: then the text is read again
    if score is None or set(score.companies) != {mention.company_id for mention in story.mentions}:
        return None
    return StoryScore(story.story_id, score.sentiment, score.companies, score.topics)


def read_verdicts(
    plan: Plan, verdicts: Sequence[VerdictLike | Failed]
) -> tuple[list[StoryScore], list[Apart]]:
    """Scores and set-apart stories of the whole batch; `verdicts` are in the order of `plan.to_classify`."""
    scored: dict[int, StoryScore] = {}
    failed: dict[int, str] = {}
    for story, verdict in zip(plan.to_classify, verdicts, strict=True):
        if isinstance(verdict, Failed):
            failed[story.story_id] = verdict.reason
        else:
            scored[story.story_id] = _score(story, verdict)
    for copy, original in plan.same_as.items():
        if original in failed:
            failed[copy] = failed[original]
        else:
            scored[copy] = replace(scored[original], story_id=copy)
    apart = [Apart(story_id, "failure", reason) for story_id, reason in failed.items()]
    return [*plan.already, *scored.values()], [*plan.apart, *apart]


def _score(story: WaitingStory, verdict: VerdictLike) -> StoryScore:
    companies = {
        mention.company_id: _copy(verdict.companies[mention.name])
        for mention in story.mentions
        if mention.name in verdict.companies
    }
    return StoryScore(story.story_id, _copy(verdict.sentiment), companies, keep_topics(verdict.topics))


def keep_topics(topics: Mapping[str, float]) -> dict[str, float]:
    """Topics at or above the threshold, at least the likeliest one."""
    if not topics:
        return {}
    best = max(topics, key=topics.__getitem__)
    return {name: round(p, 6) for name, p in topics.items() if p >= TOPIC_THRESHOLD or name == best}


def _copy(p: ProbabilitiesLike) -> Probabilities:
    return Probabilities(p.negative, p.neutral, p.positive)
