"""How right, how sure: accuracy, F1, calibration error, resampling. Arrays in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: The share of all probability that a class keeps at the least, times the number of classes.
LEAST: Final = 3e-4


def confusion(truth: Ints, said: Ints, classes: int) -> Ints:
    """Counts (classes, classes): rows are the truth, columns what was said."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (truth, said), 1)
    return table


def class_report(table: Ints, names: Sequence[str]) -> dict[str, Any]:
    """Precision, recall, F1 and support per class; accuracy and micro, macro and weighted averages.

    Macro and weighted averages are over classes that occur in the truth: one that does not occur cannot be judged.
    """
    hits, said, true = np.diag(table).astype(float), table.sum(0), table.sum(1)
    precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(hits), where=both > 0)
    seen, total = true > 0, max(1, int(true.sum()))
    micro = float(hits.sum() / total)
    averages = {"micro": {"precision": micro, "recall": micro, "f1": micro}}
    for kind, weight in (("macro", seen / max(1, seen.sum())), ("weighted", true / total)):
        averages[kind] = {
            "precision": float(weight @ precision),
            "recall": float(weight @ recall),
            "f1": float(weight @ f1),
        }
    classes = {
        name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(names, precision, recall, f1, true, strict=True)
    }
    return {
        "accuracy": micro,
        "n": int(true.sum()),
        "classes": classes,
        **averages,
        "confusion": table.tolist(),
    }


def macro_f1(truth: Ints, said: Ints, classes: int) -> float:
    """Mean F1 over the classes, 0 to 1, as `class_report` has it; truth and said (n,) are indices of classes."""
    return float(
        class_report(confusion(truth, said, classes), [str(i) for i in range(classes)])["macro"]["f1"]
    )


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


def calibrated(logits: Floats, temperature: float = 1.0, smoothing: float = 0.0) -> Floats:
    """Probabilities that mean what they say: the label smoothing of the training taken off, then a temperature.

    A head trained with smoothing s learns to leave s / classes on every class, so its surest answers say less than
    they are worth, which no temperature mends. Never changes which class is likeliest; none is ever quite ruled out.
    """
    classes = logits.shape[-1]
    kept = np.maximum(softmax(logits) - smoothing / classes, LEAST / classes)
    return softmax(np.log(kept) / temperature)


def calibration_bins(probabilities: Floats, truth: Ints, bins: int = 15) -> list[dict[str, float]]:
    """Per bin of confidence: mean confidence, share that was right, count. Empty bins are left out."""
    sure, right = probabilities.max(-1), probabilities.argmax(-1) == truth
    index = np.minimum((sure * bins).astype(int), bins - 1)
    out = []
    for b in range(bins):
        here = index == b
        if here.any():
            out.append(
                {
                    "confidence": float(sure[here].mean()),
                    "right": float(right[here].mean()),
                    "count": int(here.sum()),
                }
            )
    return out


def expected_calibration_error(probabilities: Floats, truth: Ints, bins: int = 15) -> float:
    """Mean |confidence - share right| over bins of equal width, weighted by count (Guo et al. 2017, 15 bins)."""
    table = calibration_bins(probabilities, truth, bins)
    total = sum(b["count"] for b in table)
    return float(sum(b["count"] * abs(b["confidence"] - b["right"]) for b in table) / max(1, total))


def calibration_noise(probabilities: Floats, truth: Ints, bins: int = 15) -> float:
    """The calibration error that chance alone gives a perfectly calibrated model on so few rows.

    Each bin's share right strays from its confidence p by sqrt(2 p (1 - p) / (pi n)) in the mean.
    """
    table = calibration_bins(probabilities, truth, bins)
    total = sum(b["count"] for b in table)
    stray = [
        math.sqrt(2 * b["count"] * b["confidence"] * max(0.0, 1 - b["confidence"]) / math.pi) for b in table
    ]
    return sum(stray) / max(1, total)


def bootstrap(
    statistic: Callable[[Ints], float], n: int, *, rounds: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of `statistic(indices)` over resamples of n rows."""
    if n == 0:
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, n, n)) for _ in range(rounds)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(
    truth: Ints, a: Ints, b: Ints, *, truth_of_b: Ints | None = None, rounds: int = 2000, seed: int = 0
) -> dict[str, float]:
    """Is b better than a on the same rows? Differences (b - a) with bootstrap intervals, and McNemar's exact test.

    Where a row has several right answers, `truth` is the one that a is judged by, and `truth_of_b` b's.
    """
    from scipy.stats import binomtest

    other = truth if truth_of_b is None else truth_of_b
    classes = int(max(values.max(initial=0) for values in (truth, other, a, b))) + 1
    a_right, b_right = a == truth, b == other
    lost, won = int((a_right & ~b_right).sum()), int((~a_right & b_right).sum())

    def f1(rows: Ints) -> float:
        return macro_f1(other[rows], b[rows], classes) - macro_f1(truth[rows], a[rows], classes)

    low, high = bootstrap(f1, len(truth), rounds=rounds, seed=seed)
    return {
        "n": len(truth),
        "accuracy_change": (won - lost) / max(1, len(truth)),
        "macro_f1_change": f1(np.arange(len(truth))) if len(truth) else 0.0,
        "macro_f1_change_low": low,
        "macro_f1_change_high": high,
        "only_a_right": lost,
        "only_b_right": won,
        "mcnemar_p": float(binomtest(won, won + lost).pvalue) if won + lost else 1.0,
    }
