"""Company sentiment: one pass with mentions pooled, or one pass per company with its name as a second segment?

    python bench/company_input.py --data DIR [--epochs 2] [--rows 6000]

Both start from the same encoder and see the same SEntFiN headlines, the same number of times, without augmentation;
judged on the development split, over all companies and where the companies of a headline differ.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.batches import Collator
from model.encoders import load_base
from model.example import Example
from model.finetune import read_split
from model.hardware import keep_freed_memory
from model.labels import SENTIMENTS
from model.metrics import macro_f1
from model.network import LossSettings, Network
from model.recipe import STARTER_RECIPE, load_recipe
from model.training import TrainConfig, parameter_groups, prepare


def pairs_of(examples: Sequence[Example]) -> list[tuple[Example, int]]:
    """(example, which of its companies) for every labelled company."""
    return [(e, k) for e in examples for k, c in enumerate(e.companies) if c.sentiment]


def logits_of(
    network: Network, collate: Collator, rows: list[tuple[Example, int]], pair: bool
) -> torch.Tensor:
    """Logits (rows, 3) under either way of asking."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        if pair:
            texts, names = [e.text for e, _ in rows], [e.companies[k].name for e, k in rows]
            batch = collate.tokenizer(
                texts, names, padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            return network(batch["input_ids"], batch["attention_mask"])["sentiment"].float()
        batch = collate([e for e, _ in rows])
        out = network(batch["input_ids"], batch["attention_mask"], batch["mentions"])["company"]
        return out[range(len(rows)), [k for _, k in rows]].float()


def run(
    pair: bool, train: list[tuple[Example, int]], dev: list[tuple[Example, int]], epochs: int
) -> dict[str, float]:
    """Train and judge one variant."""
    torch.manual_seed(13)
    rng = random.Random(13)
    config = TrainConfig()
    loaded = load_base(config.base, LossSettings())
    network, collate = loaded.network, Collator(loaded.tokenizer)
    prepare(network, config)
    optimizer = torch.optim.AdamW(parameter_groups(network, config), fused=True)
    total = epochs * (len(train) // 32)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1, s / (0.06 * total)) * max(0, 1 - s / total)
    )
    network.train()
    for _ in range(epochs):
        rng.shuffle(train)
        for i in range(0, len(train) - 31, 32):
            rows = sorted(train[i : i + 32], key=lambda r: len(r[0].text))
            truth = torch.tensor([SENTIMENTS.index(e.companies[k].sentiment or "") for e, k in rows])
            loss = torch.nn.functional.cross_entropy(
                logits_of(network, collate, rows, pair), truth, label_smoothing=0.05
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return judge(network.eval(), collate, dev, pair)


@torch.inference_mode()
def judge(
    network: Network, collate: Collator, dev: list[tuple[Example, int]], pair: bool
) -> dict[str, float]:
    said = (
        torch.cat([logits_of(network, collate, dev[i : i + 64], pair) for i in range(0, len(dev), 64)])
        .argmax(-1)
        .numpy()
    )
    truth = np.array([SENTIMENTS.index(e.companies[k].sentiment or "") for e, k in dev])
    mixed = np.array([len({c.sentiment for c in e.companies}) > 1 for e, _ in dev])
    return {
        "accuracy": float((said == truth).mean()),
        "macro_f1": macro_f1(truth, said, 3),
        "mixed_accuracy": float((said == truth)[mixed].mean()),
        "mixed": int(mixed.sum()),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--epochs", type=int, default=2)
    arguments.add_argument("--rows", type=int, default=0, help="companies to learn from; all when 0")
    given = arguments.parse_args()
    keep_freed_memory()
    config, sources = load_recipe(STARTER_RECIPE, given.data)
    split = read_split([s for s in sources if s.name == "sentfin"], config)
    for pair in (False, True):
        rows = pairs_of(split.train)
        rows = random.Random(7).sample(rows, given.rows) if given.rows else rows
        found = run(pair, rows, pairs_of(split.dev), given.epochs)
        print(
            "name as second segment" if pair else "mentions pooled",
            {k: round(v, 4) for k, v in found.items()},
            flush=True,
        )


if __name__ == "__main__":
    main()
