"""Probabilities that mean what they say: per head a temperature (Guo et al. 2017) and the label smoothing to take off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from model.batches import Logits
from model.example import Example
from model.labels import SENTIMENTS, TOPICS
from model.metrics import Floats, Ints, calibrated

#: A temperature outside this range means a broken head, not an unsure one.
LOWEST, HIGHEST = 0.2, 5.0
#: Tried for each head. Training puts in .05; what a head has learnt of it differs.
SMOOTHINGS = tuple(round(0.01 * step, 2) for step in range(11))


#: (temperature, smoothing) that change nothing: what a head has that nothing is known of.
NONE = (1.0, 0.0)


def fit_calibration(logits: Floats, truth: Ints) -> tuple[float, float]:
    """(temperature, smoothing) under which `truth` is likeliest; (1, 0) where there is nothing to learn from."""
    if len(truth) == 0:
        return NONE
    return min(
        (_fit_temperature(logits, truth, smoothing) for smoothing in SMOOTHINGS), key=lambda fit: fit[0]
    )[1:]


def _fit_temperature(logits: Floats, truth: Ints, smoothing: float) -> tuple[float, float, float]:
    """(mean surprise, temperature, smoothing): the best temperature for one smoothing."""
    rows = np.arange(len(truth))

    def surprise(temperature: float) -> float:
        return float(-np.log(calibrated(logits, temperature, smoothing)[rows, truth] + 1e-12).mean())

    best = minimize_scalar(surprise, bounds=(LOWEST, HIGHEST), method="bounded")
    return float(best.fun), float(best.x), smoothing


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


def fit_heads(
    scored: Logits, examples: Sequence[Example], before: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, tuple[float, float]]:
    """(temperature, smoothing) per head from a development split; a head without labels in it keeps those of `before`."""
    heads = labelled(scored, examples)
    fits = {
        head: fit_calibration(logits, truth) if len(truth) else (before or {}).get(head, NONE)
        for head, (logits, truth) in heads.items()
    }
    return {head: (round(temperature, 4), smoothing) for head, (temperature, smoothing) in fits.items()}
