"""What the tables beside the network add: a model's verdicts with and without them, and with other shares.

    python bench/wide_share.py --data DIR

DIR as in model/starter.toml. Accuracy / macro F1 on the development split of the starter's recipe, and the behavioural suite.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model.evaluate import behave, evaluate
from model.finetune import read_split
from model.inference import Classifier
from model.recipe import STARTER_RECIPE, load_recipe
from model.registry import STARTER
from model.starting import summarise

SHOWN = ("sentiment/tfns", "sentiment/sentfin", "sentiment/own", "topics/tfn_topic")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=STARTER)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.2, 0.4, 0.6, 0.8])
    options = parser.parse_args()
    config, sources = load_recipe(STARTER_RECIPE, options.data)
    dev = read_split(sources, config).dev
    classifier = Classifier.load(options.model, device="cpu")
    wide = classifier.network.wide
    if wide is None:
        parser.error(f"{options.model} has no tables beside its network")
    print(f"{'share':<8}" + "".join(f"{name:>20}" for name in SHOWN) + f"{'behaviour':>12}")
    for share in options.shares:
        wide.share.fill_(share)
        found = summarise(evaluate(classifier, dev, rounds=1).to_json())
        figures = (f"{found[name]['accuracy']:.3f} / {found[name]['macro_f1']:.3f}" for name in SHOWN)
        print(
            f"{share:<8}" + "".join(f"{f:>20}" for f in figures) + f"{behave(classifier).overall:>12.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
