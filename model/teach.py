"""A teacher: a larger model says what it thinks of each training text, so that a small one learns more than the labels.

Most texts carry one kind of label: tweets with a topic have no sentiment, headlines no topic. A teacher that was
fine-tuned on the same labels fills these gaps with probabilities, and softens the labels that are there
(Hinton, Vinyals, Dean 2015). Development texts are never asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.batches import Collator, score_examples
from model.encoders import load_model
from model.example import Example
from model.hardware import pick_device
from model.metrics import calibrated
from model.registry import Manifest, load_manifest
from model.training import pick_precision


def teach(folder: Path, examples: Sequence[Example], device: str = "auto") -> list[Example]:
    """The examples with the opinions of the model in `folder`, calibrated. Raises ModelFileError, LabelMismatch."""
    loaded = load_model(folder)
    if loaded.manifest is None:
        return list(examples)
    where = pick_device(device)
    network = loaded.network.to(where)
    half = pick_precision("auto", device) == "bf16"
    with torch.autocast(where.type, torch.bfloat16, enabled=half):
        said = score_examples(network, Collator(loaded.tokenizer, compare=loaded.compares), examples, where)
    sentiment = _opinions(said.sentiment, "sentiment", loaded.manifest)
    topics = _opinions(said.topics, "topics", loaded.manifest)
    company = dict(zip(said.company_of, _opinions(said.company, "company", loaded.manifest), strict=True))
    return [
        replace(
            example,
            taught=sentiment[i],
            taught_topics=topics[i],
            companies=tuple(
                replace(c, taught=company.get((i, k), ())) for k, c in enumerate(example.companies)
            ),
        )
        for i, example in enumerate(examples)
    ]


def _opinions(logits: Tensor, head: str, manifest: Manifest) -> list[tuple[float, ...]]:
    """Calibrated probabilities (N,C), a tuple per row."""
    found = calibrated(
        logits.double().numpy(), manifest.temperatures.get(head, 1.0), manifest.smoothings.get(head, 0.0)
    )
    return [tuple(row) for row in found.round(4).tolist()]


def describe_teacher(folder: Path, share: float) -> dict[str, Any]:
    """What a manifest says of the teacher: version, base encoder with digests, settings, seconds, figures.

    `share` is what its opinions counted for beside labels.
    """
    manifest = load_manifest(folder)
    return {
        "version": manifest.version,
        "share": share,
        "base": {"name": manifest.base.name, "files": dict(manifest.base.files)},
        "settings": {k: v for k, v in manifest.settings.items() if k != "base"},
        "train_seconds": manifest.metrics.get("train_seconds"),
        "dev": manifest.metrics.get("dev", {}),
    }
