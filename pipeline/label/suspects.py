"""Stored labels that are probably wrong, by confident learning (cleanlab, the extra `labels`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from model.labels import SENTIMENTS

# Confident learning estimates a threshold per class; below this many labels in the rarest class it is noise.
LEAST_PER_CLASS = 10


def find_suspects(labels: Sequence[str], probabilities: Sequence[Sequence[float]]) -> list[float]:
    """For each label: 0 where it looks right, else how likely it is wrong, 0 to 1.

    `probabilities` (n, 3) are the champion's, which should not have been trained on these very labels for long.
    All zeros where cleanlab is not installed or a class has too few labels.
    """
    counts = [list(labels).count(name) for name in SENTIMENTS]
    if importlib.util.find_spec("cleanlab") is None or min(counts) < LEAST_PER_CLASS:
        return [0.0] * len(labels)
    import numpy as np
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    given = np.array([SENTIMENTS.index(label) for label in labels])
    said = np.array(probabilities, dtype=float)
    said /= said.sum(axis=1, keepdims=True)
    issues = find_label_issues(given, said, filter_by="prune_by_noise_rate", n_jobs=1)
    quality = get_label_quality_scores(given, said)
    return [float(1 - q) if issue else 0.0 for issue, q in zip(issues, quality, strict=True)]
