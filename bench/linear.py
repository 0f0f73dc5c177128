"""What a linear model on words and characters reaches on our development split: how hard the split is.

    python bench/linear.py --data DIR

Compare with the figures that such a model has on the official parts (bench/README.md). Accuracy and macro F1.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from model.example import Example
from model.finetune import read_split
from model.recipe import STARTER_RECIPE, load_recipe


def labelled(examples: Sequence[Example], source: str) -> tuple[list[str], list[str]]:
    """Texts of a source and their labels: the topic where the source has topics, else the sentiment."""
    rows = [(e.text, e.topics[0] if e.topics else e.sentiment) for e in examples if e.source == source]
    known = [(text, label) for text, label in rows if label]
    return [text for text, _ in known], [label for _, label in known]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, required=True)
    config, sources = load_recipe(STARTER_RECIPE, arguments.parse_args().data)
    split = read_split(sources, config)
    for source in ("tfns", "tfn_topic", "sentfin"):
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
        model = make_pipeline(make_union(words, characters), LinearSVC(C=0.5, class_weight="balanced"))
        model.fit(*labelled(split.train, source))
        texts, labels = labelled(split.dev, source)
        said = model.predict(texts)
        accuracy, macro = accuracy_score(labels, said), f1_score(labels, said, average="macro")
        print(f"{source:<10} {len(texts):>6} texts  {accuracy:.3f} / {macro:.3f}", flush=True)


if __name__ == "__main__":
    main()
