"""From what two models said of the same frozen articles to the gate's evidence. Pure arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.labels import SENTIMENTS
from model.metrics import class_report, confusion, expected_calibration_error
from pipeline.label.gate import ClassRecall
from pipeline.label.intervals import wilson

# Draws for the calibration error that chance alone gives; 200 place a 95th percentile well enough for the gate's slack.
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Sentiment verdicts of one model on frozen labels, of stories and of companies alike.

    truth, said: (n,) indices into SENTIMENTS; probabilities (n, 3); article: (n,) the place of each row's article.
    topics_right: article place -> its topics were right. about: whose sentiment each row is, a company's name or "" for
    the story's.
    """

    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    article: NDArray[np.int64]
    topics_right: Mapping[int, bool]
    about: Sequence[str] = ()

    @property
    def said(self) -> NDArray[np.int64]:
        return np.asarray(self.probabilities.argmax(-1), dtype=np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.said == self.truth)


def rights_per_article(verdicts: Verdicts, articles: int) -> NDArray[np.int64]:
    """How many verdicts were right on each article."""
    counts = np.zeros(articles, dtype=np.int64)
    np.add.at(counts, verdicts.article, verdicts.right.astype(np.int64))
    return counts


def won_and_lost(champion: Verdicts, challenger: Verdicts, articles: int) -> tuple[int, int]:
    """Articles on which the challenger got more, and fewer, verdicts right. An article counts once."""
    change = rights_per_article(challenger, articles) - rights_per_article(champion, articles)
    return int((change > 0).sum()), int((change < 0).sum())


def topics_won_and_lost(champion: Verdicts, challenger: Verdicts) -> tuple[int, int]:
    """Articles whose topics only the challenger, and only the champion, got right."""
    shared = champion.topics_right.keys() & challenger.topics_right.keys()
    won = sum(challenger.topics_right[a] and not champion.topics_right[a] for a in shared)
    lost = sum(champion.topics_right[a] and not challenger.topics_right[a] for a in shared)
    return won, lost


def class_recalls(champion: Verdicts, challenger: Verdicts) -> dict[str, ClassRecall]:
    """Recall per sentiment of both models on the same labels."""
    out = {}
    for index, name in enumerate(SENTIMENTS):
        here = champion.truth == index
        before, now = champion.right[here], challenger.right[here]
        out[name] = ClassRecall(
            support=int(here.sum()),
            champion=float(before.mean()) if here.any() else 0.0,
            challenger=float(now.mean()) if here.any() else 0.0,
            won=int((now & ~before).sum()),
            lost=int((before & ~now).sum()),
        )
    return out


def report(verdicts: Verdicts) -> dict[str, Any]:
    """Classes, averages and confusion matrix, as in model.metrics.class_report."""
    table = confusion(verdicts.truth, verdicts.said, len(SENTIMENTS))
    return {
        **class_report(table, SENTIMENTS),
        "ece": expected_calibration_error(verdicts.probabilities, verdicts.truth),
    }


def ece_by_chance(probabilities: NDArray[np.float64], *, seed: int = 0, level: float = 0.95) -> float:
    """The calibration error that a perfectly calibrated model with these confidences exceeds in 1 - level of draws."""
    if not len(probabilities):
        return 0.0
    rng = np.random.default_rng(seed)
    said, sure = probabilities.argmax(-1), probabilities.max(-1)
    errors = [
        expected_calibration_error(probabilities, np.where(rng.random(len(sure)) < sure, said, -1))
        for _ in range(DRAWS)
    ]
    return float(np.quantile(errors, level))


def by_set(verdicts: Verdicts, sets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Accuracy with its interval on each frozen set; `sets` names the set of each article."""
    out: dict[str, dict[str, Any]] = {}
    names = np.array(sets)[verdicts.article] if len(verdicts.article) else np.array([], dtype=str)
    for name in sorted(set(sets)):
        right = verdicts.right[names == name]
        low, high = wilson(int(right.sum()), len(right))
        out[name] = {
            "labels": len(right),
            "accuracy": float(right.mean()) if len(right) else None,
            "low": low,
            "high": high,
        }
    return out
