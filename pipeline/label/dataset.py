"""From labels to the two files of a retraining: what to learn from, and what to be judged on. Pure.

An article once trained on is never judged on, and one that is judged on is never trained on; neither are its copies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.label.agreement import majority

# Share of fresh labelled stories that each of the sets "story" and "time" takes: generous until there is enough to
# decide on (60 articles from the first 200 labels), then small, since every frozen label is one not learnt from.
FIRST_SHARE, LATER_SHARE = 0.15, 0.05
ENOUGH_FROZEN = 300
# Frozen articles beyond which only random ones are added: an interval of +-2 points needs no more.
MOST_FROZEN = 2_000
# Articles with older labels that a retraining draws per epoch beside the new ones: three for each new one, within limits.
REPLAYED_PER_NEW, LEAST_REPLAYED, MOST_REPLAYED = 3, 500, 6_000


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label in force with its article, as the store reads it. `mentions` are (company, [[start, end), ...]).

    `oldest_label` is the id of the first label that the story was ever given, also if it was taken back since.
    """

    label_id: int
    article_id: int
    story_id: int
    text: str
    mentions: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    target: str
    company: str | None
    sentiment: str | None
    topics: tuple[str, ...] | None
    labelled_by: str
    queue_reason: str | None
    available_at: datetime
    may_train: bool
    frozen: str | None
    point: float
    oldest_label: int


@dataclass(frozen=True, slots=True)
class LabelledArticle:
    """An article with what its labellers agree on.

    `first_label` is the id of its oldest label in force: a later one is to be learnt. `oldest_label` is that of the first
    label its story ever had: an earlier one may have been learnt, whatever became of it.
    """

    article_id: int
    story_id: int
    text: str
    sentiment: str | None
    companies: tuple[tuple[str, tuple[tuple[int, int], ...], str], ...]
    topics: tuple[str, ...]
    available_at: datetime
    first_label: int
    labels: int
    disputed: int
    random: bool
    may_train: bool
    frozen: str | None
    point: float
    oldest_label: int

    def as_example(self) -> dict[str, Any]:
        """One line of a file that model.data reads."""
        companies = [
            {"name": name, "spans": [list(span) for span in spans], "sentiment": verdict}
            for name, spans, verdict in self.companies
        ]
        row = {
            "text": self.text,
            "sentiment": self.sentiment,
            "companies": companies,
            "topics": list(self.topics),
            "story": f"story-{self.story_id}",
            "published_at": self.available_at.isoformat(),
        }
        return {key: value for key, value in row.items() if value}

    @property
    def empty(self) -> bool:
        """True where no verdict is left: people dispute it, or it is of a company that the text does not name."""
        return not (self.sentiment or self.companies or self.topics)


def merge_labels(rows: Iterable[LabelRow]) -> list[LabelledArticle]:
    """One entry per article: the majority of its labellers on each thing; what they dispute is left out."""
    articles: dict[int, list[LabelRow]] = defaultdict(list)
    for row in rows:
        articles[row.article_id].append(row)
    return [_merge(of_article) for of_article in articles.values()]


def _merge(rows: Sequence[LabelRow]) -> LabelledArticle:
    first = rows[0]
    verdicts: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    topics: list[tuple[str, ...]] = []
    for row in rows:
        if row.topics is not None:
            topics.append(row.topics)
        elif row.sentiment is not None:
            verdicts[row.target, row.company].append(row.sentiment)
    agreed = {thing: majority(said) for thing, said in verdicts.items()}
    spans = dict(first.mentions)
    return LabelledArticle(
        article_id=first.article_id,
        story_id=first.story_id,
        text=first.text,
        sentiment=_str(agreed.get(("story", None))),
        companies=tuple(
            (name, spans[name], str(verdict))
            for (target, name), verdict in agreed.items()
            if target == "company" and name is not None and verdict is not None and spans.get(name)
        ),
        topics=_agreed_topics(topics),
        available_at=first.available_at,
        first_label=min(row.label_id for row in rows),
        labels=len(rows),
        disputed=sum(verdict is None for verdict in agreed.values()),
        random=any(row.queue_reason == "random" for row in rows),
        may_train=first.may_train,
        frozen=next((row.frozen for row in rows if row.frozen), None),
        point=first.point,
        oldest_label=first.oldest_label,
    )


def _agreed_topics(answers: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    counts = Counter(topic for answer in answers for topic in answer)
    return tuple(topic for topic, n in counts.items() if 2 * n > len(answers))


def _str(value: object) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Copies:
    """Which texts are near copies: `keys` has one per article, the same for copies.

    `taught`, `frozen`: keys of articles without a label in force that may have been trained on, that are judged on.
    """

    keys: tuple[str, ...]
    taught: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()


def choose_frozen(articles: Sequence[LabelledArticle], trained_until: int, copies: Copies) -> dict[int, str]:
    """Articles to keep for evaluation from now on: article -> random, time or story. Whole stories, fresh ones only.

    `trained_until` is the id of the last label that an earlier retraining has seen: what a champion may have learnt
    from, or a near copy of it, is worthless for judging it.
    """
    kept = {article.story_id for article in articles if article.frozen}
    seen = {article.story_id for article in articles if article.oldest_label <= trained_until} - kept
    keyed = list(zip(copies.keys, articles, strict=True))
    taught = copies.taught | {key for key, article in keyed if article.story_id in seen}
    stale = kept | {article.story_id for key, article in keyed if key in taught}
    fresh: dict[int, LabelledArticle] = {}
    for article in articles:
        if article.story_id not in stale and not article.empty:
            fresh.setdefault(article.story_id, article)
    chosen = {story: "random" for story, article in fresh.items() if article.random}
    rest = sorted((a for a in fresh.values() if a.story_id not in chosen), key=lambda a: a.point)
    places = _places(len(rest), len(kept))
    newest = sorted(rest, key=lambda a: (a.available_at, a.point), reverse=True)[:places]
    chosen |= {article.story_id: "time" for article in newest}
    by_point = [article for article in rest if article.story_id not in chosen][:places]
    chosen |= {article.story_id: "story" for article in by_point}
    return {a.article_id: chosen[a.story_id] for a in articles if a.story_id in chosen}


def _places(fresh: int, kept: int) -> int:
    if kept >= MOST_FROZEN:
        return 0
    return round(fresh * (FIRST_SHARE if kept < ENOUGH_FROZEN else LATER_SHARE))


def mark_near_copies(
    articles: Sequence[LabelledArticle], frozen: Mapping[int, str], copies: Copies
) -> list[bool]:
    """For each article: is it a near copy of one that is kept for evaluation?"""
    keyed = zip(copies.keys, articles, strict=True)
    kept = copies.frozen | {key for key, a in keyed if a.frozen or a.article_id in frozen}
    return [key in kept for key in copies.keys]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What one retraining works with; `replay_weight` is how often each older article is drawn per epoch."""

    new: tuple[LabelledArticle, ...]
    old: tuple[LabelledArticle, ...]
    frozen: tuple[LabelledArticle, ...]
    frozen_sets: tuple[str, ...]
    replay_weight: float
    left_out: Mapping[str, int]


def make_dataset(
    articles: Sequence[LabelledArticle],
    frozen: Mapping[int, str],
    trained_until: int,
    near_frozen: Sequence[bool],
) -> Dataset:
    """Splits labelled articles into new, old and frozen. `near_frozen` says per article: it copies a frozen one."""
    sets = {a.article_id: frozen.get(a.article_id) or a.frozen for a in articles}
    kept = {a.story_id for a in articles if sets[a.article_id]}
    judged = [a for a in articles if sets[a.article_id] and not a.empty]
    left_out: Counter[str] = Counter()
    learn = []
    for article, near in zip(articles, near_frozen, strict=True):
        if article.story_id in kept:
            continue
        why = _why_left_out(article, near)
        if why is None:
            learn.append(article)
        else:
            left_out[why] += 1
    new = tuple(a for a in learn if a.first_label > trained_until)
    old = tuple(a for a in learn if a.first_label <= trained_until)
    wanted = min(MOST_REPLAYED, max(REPLAYED_PER_NEW * len(new), LEAST_REPLAYED))
    weight = min(1.0, wanted / len(old)) if old else 0.0
    return Dataset(
        new, old, tuple(judged), tuple(str(sets[a.article_id]) for a in judged), weight, dict(left_out)
    )


def _why_left_out(article: LabelledArticle, near_frozen: bool) -> str | None:
    """Why an article is not learnt from, in words for the report; None where it is."""
    if article.empty:
        return "disputed or without a usable label"
    if not article.may_train:
        return "licence forbids training"
    return "near copy of a frozen article" if near_frozen else None
