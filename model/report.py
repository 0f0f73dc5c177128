"""An evaluation as a page that an analyst can read: one HTML file, pictures inside, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from model.behave import Behaviour
from model.labels import TOPIC_TITLES

_TITLES: Final = {
    "sentiment": "Sentiment of the story",
    "company": "Sentiment of each company",
    "company_mixed": "Sentiment of each company where companies differ",
    "topics": "Topic",
}

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem;border-top:1px solid #d5dbe3;padding-top:1rem}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e8ecf1}
td:first-child,th:first-child{text-align:left}th{font-weight:600}img{max-width:100%}.pair{display:flex;flex-wrap:wrap;gap:1rem}
.low{color:#a32020;font-weight:600}.note{color:#5a6675}
"""


def render_report(
    evaluation: Mapping[str, Any], behaviour: Behaviour | None = None, paired: Mapping[str, Any] | None = None
) -> str:
    """HTML of an `Evaluation.to_json()`, with the behavioural suite and a paired comparison where given."""
    parts = [
        f"<h1>Model {escape(str(evaluation['version']))}</h1>",
        f"<p>{evaluation['examples']:,} examples, {evaluation['failures']} that could not be judged. Data digest "
        f"<code>{escape(evaluation['data_sha256'][:16])}</code>. Intervals are 95 %, by bootstrap.</p>",
        _summary(evaluation["heads"]),
    ]
    if paired:
        parts.append(_paired(paired))
    parts += [_head(name, head) for name, head in evaluation["heads"].items()]
    if behaviour:
        parts.append(_behaviour(behaviour))
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Model {escape(str(evaluation['version']))}</title><style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(c)}" for c in head)
    body = "".join("<tr>" + "".join(f"<td>{c}" for c in row) for row in rows)
    return f"<table><tr>{top}{body}</table>"


def _summary(heads: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(_TITLES.get(name, name)),
            f"{h['n']:,}",
            _with_interval(h["accuracy"], h["accuracy_interval"]),
            _with_interval(h["macro"]["f1"], h["macro_f1_interval"]),
            f"{h['ece']:.3f}",
        ]
        for name, h in heads.items()
    ]
    note = (
        "<p class=note>Macro F1 counts every class alike, however rare. Calibration error is how far stated "
        "probabilities are from what came true.</p>"
    )
    return _table(["", "labels", "accuracy", "macro F1", "calibration error"], rows) + note


def _with_interval(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} <span class=note>({interval[0]:.3f} to {interval[1]:.3f})</span>"


def _head(name: str, head: Mapping[str, Any]) -> str:
    classes = [
        [
            escape(TOPIC_TITLES.get(c, c)),
            *(f"{m[k]:.3f}" for k in ("precision", "recall", "f1")),
            f"{m['support']:,}",
        ]
        for c, m in head["classes"].items()
    ]
    averages = [
        [f"<i>{kind}</i>", *(f"{head[kind][k]:.3f}" for k in ("precision", "recall", "f1")), f"{head['n']:,}"]
        for kind in ("micro", "macro", "weighted")
    ]
    slices = "".join(_slices(kind, rows) for kind, rows in head["slices"].items() if len(rows) > 1)
    pictures = f"<div class=pair>{_picture(draw_confusion(head))}{_picture(draw_reliability(head))}</div>"
    table = _table(["", "precision", "recall", "F1", "labels"], classes + averages)
    return f"<h2>{escape(_TITLES.get(name, name))}</h2>{table}{pictures}{slices}"


def _slices(kind: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    body = [
        [escape(TOPIC_TITLES.get(k, k)), f"{int(r['n']):,}", f"{r['accuracy']:.3f}", f"{r['macro_f1']:.3f}"]
        for k, r in rows.items()
    ]
    return f"<h3>By {kind}</h3>" + _table(["", "labels", "accuracy", "macro F1"], body)


def _paired(paired: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(_TITLES.get(head, head)),
            f"{p['accuracy_change']:+.3f}",
            f"{p['macro_f1_change']:+.3f} <span class=note>({p['macro_f1_change_low']:+.3f} to "
            f"{p['macro_f1_change_high']:+.3f})</span>",
            f"{p['only_b_right']} : {p['only_a_right']}",
            f"{p['mcnemar_p']:.3g}",
        ]
        for head, p in paired.items()
    ]
    head = ["", "accuracy", "macro F1", "only new : only old right", "McNemar p"]
    return "<h2>Against the other model, on the same examples</h2>" + _table(head, rows)


def _behaviour(behaviour: Behaviour) -> str:
    rows = [
        [
            escape(kind),
            str(behaviour.counts[kind]),
            f"<span class='{'low' if rate < 0.7 else ''}'>{rate:.0%}</span>",
        ]
        for kind, rate in behaviour.kinds.items()
    ]
    failed = "".join(f"<li><code>{escape(i)}</code> {escape(w)}" for i, w in behaviour.failures.items())
    return (
        f"<h2>Behavioural suite: {behaviour.overall:.1%} of {behaviour.cases} cases</h2>"
        f"{_table(['kind', 'cases', 'passed'], rows)}<details><summary>{len(behaviour.failures)} failed cases"
        f"</summary><ul>{failed}</ul></details>"
    )


def _picture(png: bytes) -> str:
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"


def draw_confusion(head: Mapping[str, Any]) -> bytes:
    """PNG of the confusion matrix, each row in shares of its true class."""
    import numpy as np
    from matplotlib.figure import Figure

    table = np.array(head["confusion"], dtype=float)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    n = len(table)
    figure = Figure(figsize=(4.2, 3.8) if n < 6 else (8.4, 7.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), head["labels"], rotation=45 if n < 6 else 90, ha="right")
    axes.set_yticks(range(n), head["labels"])
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    for i in range(n):
        for j in range(n):
            if table[i, j]:
                color = "white" if shares[i, j] > 0.55 else "#1c2430"
                axes.text(j, i, f"{int(table[i, j])}", ha="center", va="center", color=color, fontsize=8)
    return _png(figure)


def draw_reliability(head: Mapping[str, Any]) -> bytes:
    """PNG of the reliability diagram: share that was right against stated confidence."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#b8c2cf", linewidth=1)
    sure, right = [b["confidence"] for b in head["bins"]], [b["right"] for b in head["bins"]]
    most = max((b["count"] for b in head["bins"]), default=1)
    sizes = [20 + 180 * b["count"] / most for b in head["bins"]]
    axes.scatter(sure, right, s=sizes, color="#2463a8", alpha=0.75, linewidths=0)
    axes.set(xlabel="stated probability", ylabel="share that was right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_title(f"calibration error {head['ece']:.3f}", fontsize=10)
    return _png(figure)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
