"""How fast the classifier scores on this machine, against the usual recipes, in one run on the same texts.

    python bench/score.py [--texts 4096] [--json FILE]

Texts: our own statements as headlines, and two or three of them together as summaries (a quarter), each made distinct
by a number, in a fixed order. The recipes: transformers' text-classification pipeline in fp32 with batches of 32, and
padding every text to 128 tokens in batches of 16. Both run the same encoder with a three-class head.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.data import read_rows
from model.inference import Classifier, Verdict
from model.recipe import own_texts
from model.registry import DEFAULT_BASE, find_base


def make_texts(n: int) -> list[str]:
    """n distinct texts, a quarter of them summaries of two or three sentences."""
    rng = random.Random(20)
    lines = [str(r["text"]) for s in own_texts() for r in read_rows(s.path)]
    out = []
    for i in range(n):
        parts = rng.choices(lines, k=rng.choice((2, 3)) if i % 4 == 0 else 1)
        out.append(f"{' '.join(parts)} ({i})")
    return out


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result; the caller has warmed up."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def pipeline_recipe(texts: list[str], sample: int) -> float:
    """Texts per second of transformers.pipeline in fp32, batch 32, on the first `sample` texts."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    base = find_base(DEFAULT_BASE)[1]
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3, dtype=torch.float32)
    pipe = pipeline(
        "text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(base), device="cpu"
    )
    pipe(texts[:64], batch_size=32)
    seconds, _ = timed(lambda: pipe(texts[:sample], batch_size=32))
    return sample / seconds


def fixed_padding_recipe(texts: list[str], sample: int) -> float:
    """Texts per second of the tutorial loop: every text padded to 128 tokens, batches of 16, fp32."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = find_base(DEFAULT_BASE)[1]
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3, dtype=torch.float32).eval()

    def loop(some: list[str]) -> None:
        for i in range(0, len(some), 16):
            batch = tokenizer(
                some[i : i + 16], padding="max_length", truncation=True, max_length=128, return_tensors="pt"
            )
            with torch.no_grad():
                model(**batch).logits.softmax(-1)

    loop(texts[:32])
    seconds, _ = timed(lambda: loop(texts[:sample]))
    return sample / seconds


def ours(texts: list[str], dtype: str) -> tuple[float, list[Verdict], Classifier]:
    """Texts per second of Classifier.predict, with its verdicts."""
    classifier = Classifier.load(device="cpu", dtype=dtype)
    classifier.predict(texts[:256])
    seconds, verdicts = timed(lambda: classifier.predict(texts))
    return len(texts) / seconds, verdicts, classifier


def flops_per_text(classifier: Classifier, texts: list[str]) -> float:
    """Mean floating point operations of the encoder per text: 2 x weights per token, 4 x T x H per token and layer."""
    config: Any = classifier.network.encoder.config
    h, layers, inner = config.hidden_size, config.num_hidden_layers, config.intermediate_size
    tokens = np.array([len(classifier._prepare(t).ids) for t in texts])
    weights = layers * (4 * h * h + 2 * h * inner)
    return float((2 * weights * tokens + 4 * layers * h * tokens**2).mean())


def matrix_rate(dtype: torch.dtype, rows: int) -> float:
    """FLOP/s of this machine's own products at the model's shapes, weighed as a layer uses them."""
    shapes = [(384, 384)] * 4 + [(384, 1536), (1536, 384)]
    pairs = [(torch.randn(rows, k).to(dtype), torch.nn.Linear(k, n).to(dtype)) for k, n in shapes]
    with torch.inference_mode():
        for x, layer in pairs * 3:
            layer(x)
        seconds, _ = timed(lambda: [layer(x) for _ in range(20) for x, layer in pairs])
    return 20 * sum(2 * rows * k * n for k, n in shapes) / seconds


def agreement(a: list[Verdict], b: list[Verdict]) -> tuple[float, float]:
    """(share with the same label, largest difference of a probability)."""
    pa, pb = np.array([v.sentiment for v in a]), np.array([v.sentiment for v in b])
    return float((pa.argmax(1) == pb.argmax(1)).mean()), float(np.abs(pa - pb).max())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--texts", type=int, default=4096)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    texts = make_texts(given.texts)
    reference, truth, _ = ours(texts, "fp32")
    rate, verdicts, classifier = ours(texts, "auto")
    result: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "format": str(classifier.dtype),
        "ours_per_s": rate,
        "ours_fp32_per_s": reference,
        "pipeline_per_s": pipeline_recipe(texts, min(512, len(texts))),
        "fixed_128_per_s": fixed_padding_recipe(texts, min(256, len(texts))),
        "same_label": agreement(truth, verdicts)[0],
        "largest_difference": agreement(truth, verdicts)[1],
        "texts_per_core_hour": rate / torch.get_num_threads() * 3600,
    }
    achieved = rate * flops_per_text(classifier, texts)
    result["matrix_share"] = achieved / matrix_rate(classifier.dtype, classifier.batch_tokens)
    result["times_pipeline"] = rate / result["pipeline_per_s"]
    result["times_fixed_128"] = rate / result["fixed_128_per_s"]
    for name, value in result.items():
        print(f"{name:22} {value:,.4f}" if isinstance(value, float) else f"{name:22} {value}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
