"""Temperatures that make probabilities mean what they say (Guo et al. 2017): one number per head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from model.batches import Logits
from model.example import Example
from model.labels import SENTIMENTS, TOPICS
from model.metrics import Floats, Ints, softmax

#: A temperature outside this range means a broken head, not an unsure one.
LOWEST, HIGHEST = 0.2, 5.0


def fit_temperature(logits: Floats, truth: Ints) -> float:
    """The temperature under which `truth` is likeliest; 1.0 where there is nothing to learn from."""
    if len(truth) == 0:
        return 1.0
    rows = np.arange(len(truth))

    def surprise(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature)[rows, truth] + 1e-12).mean())

    return float(minimize_scalar(surprise, bounds=(LOWEST, HIGHEST), method="bounded").x)


def labelled(scored: Logits, examples: Sequence[Example]) -> dict[str, tuple[Floats, Ints]]:
    """Per head: logits and true classes of the rows whose label is known."""
    truth = np.array([SENTIMENTS.index(e.sentiment) if e.sentiment else -1 for e in examples], dtype=np.int64)
    topics = np.array([TOPICS.index(e.topics[0]) if e.topics else -1 for e in examples], dtype=np.int64)
    labels = [examples[i].companies[k].sentiment for i, k in scored.company_of]
    company = np.array([SENTIMENTS.index(label) if label else -1 for label in labels], dtype=np.int64)
    heads = {"sentiment": (scored.sentiment, truth), "company": (scored.company, company)}
    heads["topics"] = (scored.topics, topics)
    return {
        head: (logits.numpy().astype(np.float64)[known >= 0], known[known >= 0])
        for head, (logits, known) in heads.items()
    }


def fit_temperatures(scored: Logits, examples: Sequence[Example]) -> dict[str, float]:
    """A temperature per head from a development split."""
    heads = labelled(scored, examples)
    return {head: round(fit_temperature(logits, truth), 4) for head, (logits, truth) in heads.items()}
