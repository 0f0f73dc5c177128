"""What moves in fine-tuning, and what it starts from: all weights, LoRA, only the top, or an encoder adapted by MLM first.

    python bench/methods.py --data DIR --work DIR [--examples 6000 --epochs 2 --variants full lora top adapted]

Every variant sees the same examples of the starter's sources, the same number of times, and is judged on the same
development split. `adapted` reads the training texts without their labels first (one pass of masked language modelling).
A variant that is done is not done again: call it once more after a kill.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import replace
from pathlib import Path

from model.batches import score_examples
from model.example import Example
from model.finetune import Split, make_trainer, read_split, start_network
from model.hardware import keep_freed_memory
from model.pretrain import pretrain
from model.recipe import STARTER_RECIPE, load_recipe
from model.training import TrainConfig, dev_metrics

SHOWN = ("sentiment_tfns", "sentiment_sentfin", "sentiment_own", "company", "company_mixed", "topics")
#: LoRA's weights start from nothing and take a larger step; the rates are those of model/LOG.md.
CHANGES = {
    "full": {},
    "top": {"method": "top", "top_layers": 2},
    "lora": {"method": "lora", "lora_rank": 32, "learning_rate": 4e-4},
    "adapted": {},
}


def train(name: str, config: TrainConfig, split: Split, work: Path) -> dict[str, float]:
    """Macro F1 of every head on the development split, and the seconds it took (processor time)."""
    started = time.process_time()
    settings = replace(config, **CHANGES[name])
    if name == "adapted":
        settings = replace(settings, start=str(adapt(config, split.train, work / "adapted")))
    loaded = start_network(settings, split.train)
    trainer = make_trainer(settings, loaded, split, work / name, "cpu")
    trainer.train()
    network = trainer.accelerator.unwrap_model(trainer.model).float()
    found = dev_metrics(
        score_examples(network, trainer.dev_collate, split.dev, trainer.args.device), split.dev
    )
    return {k: found[f"{k}_f1"] for k in SHOWN} | {"cpu_s": time.process_time() - started}


def adapt(config: TrainConfig, examples: list[Example], out: Path) -> Path:
    texts = [e.text for e in examples]
    random.Random(13).shuffle(texts)
    settings = replace(config, epochs=1, learning_rate=3e-4)
    found = pretrain(settings, texts, out, created_at="2026-01-01T00:00:00Z", device="cpu")
    print(f"  masked words: {found.loss_before:.2f} -> {found.loss_after:.2f} nats", flush=True)
    return out


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--examples", type=int, default=6000)
    arguments.add_argument("--dev", type=int, default=2000)
    arguments.add_argument("--epochs", type=float, default=2)
    arguments.add_argument("--variants", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    given = arguments.parse_args()
    keep_freed_memory()
    config, sources = load_recipe(STARTER_RECIPE, given.data)
    config = replace(config, epochs=given.epochs, tracking=())
    whole = read_split(sources, config)
    draw = random.Random(7)
    split = Split(draw.sample(whole.train, given.examples), draw.sample(whole.dev, given.dev))
    given.work.mkdir(parents=True, exist_ok=True)
    print(f"{'':<10}" + "".join(f"{name.removeprefix('sentiment_'):>15}" for name in SHOWN) + f"{'CPU s':>9}")
    for name in given.variants:
        done = given.work / f"{name}.json"
        if not done.exists():
            done.write_text(json.dumps(train(name, config, split, given.work)))
        row = json.loads(done.read_text())
        print(
            f"{name:<10}" + "".join(f"{row[k]:>15.3f}" for k in SHOWN) + f"{row['cpu_s']:>9.0f}", flush=True
        )


if __name__ == "__main__":
    main()
