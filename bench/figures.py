"""What comparing figures is worth: a model's verdicts on the statements that do, with and without the words put in.

    python bench/figures.py --data DIR

DIR as in model/starter.toml. Accuracy on the development split of the starter's recipe; the words are higher, lower and same.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from model.batches import Collator, score_examples
from model.encoders import load_model
from model.figures import compare_figures
from model.finetune import read_split
from model.labels import SENTIMENTS
from model.recipe import STARTER_RECIPE, load_recipe
from model.registry import STARTER


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=STARTER)
    options = parser.parse_args()
    config, sources = load_recipe(STARTER_RECIPE, options.data)
    split = read_split(sources, config)
    texts = [e.text for e in (*split.train, *split.dev)]
    start = time.process_time()
    found = sum(bool(compare_figures(text).inserted) for text in texts)
    spent = time.process_time() - start
    print(f"{found:,} of {len(texts):,} texts compare figures; {spent / len(texts) * 1e6:.0f} us a text")
    loaded = load_model(options.model)
    compared = [e for e in split.dev if e.sentiment and compare_figures(e.text).inserted]
    print(f"{loaded.manifest.version if loaded.manifest else ''}, {len(compared)} of the development split:")
    for name, compare in (("words put in", True), ("text as it is", False)):
        said = score_examples(
            loaded.network, Collator(loaded.tokenizer, compare=compare), compared, torch.device("cpu")
        )
        right = [
            SENTIMENTS[i] == e.sentiment
            for i, e in zip(said.sentiment.argmax(1).tolist(), compared, strict=True)
        ]
        print(f"  {name:14} {sum(right) / len(right):.3f}")


if __name__ == "__main__":
    main()
