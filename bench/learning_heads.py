"""The learning curve over many seeds: heads refitted on an encoder that stands still.

    python bench/learning_heads.py --data DIR --work DIR [--seeds 20] [--mix "uncertain=90,random=10"] ...

The same starter without SEntFiN, articles, labelling and judging as bench/learning.py, but what is learnt is a logistic
regression per head on the encoder's vectors, so a curve takes seconds and twenty of them tell a mix from luck. Each seed
draws pool and judged articles anew. What the starter learnt from is rehearsed in the proportion of a retrain. It says
little of the accuracy that a retrain reaches, which moves the encoder, too. Several --mix are compared with random. What is done is kept under --work.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning import ask, own_texts, read_sentfin, split, starter_without, tell, tweets
from sklearn.linear_model import LogisticRegression

from model.batches import Collator
from model.data import read_source
from model.encoders import load_model
from model.example import Example
from model.labels import SENTIMENTS
from model.network import average
from model.recipe import REHEARSED_LEAST
from pipeline.label.queue import uncertainty

DEFAULT_MIX = "uncertain=40,alert=20,disputed=10,drift=10,suspect=10,random=10"


@dataclass(frozen=True)
class Rows:
    """Verdicts to learn or judge: vectors (n, width), truth (n,) or -1, and the place of each row's article."""

    vectors: Any
    truth: Any
    article: Any

    def of(self, articles: Any) -> Rows:
        """The rows of these articles whose truth is known."""
        kept = np.isin(self.article, list(articles)) & (self.truth >= 0)
        return Rows(self.vectors[kept], self.truth[kept], self.article[kept])


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--labels", default="0,250,500,1000,2000")
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--pool", type=int, default=4000)
    arguments.add_argument("--test", type=int, default=800)
    arguments.add_argument("--articles", type=int, default=5500)
    arguments.add_argument("--known", type=int, default=4000)
    arguments.add_argument("--mix", action="append")
    given = arguments.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    start = starter_without(given.data, given.work / "starter")
    articles, _ = split(read_sentfin(given.data), given.articles, 0)
    sources = (tweets(given.data, given.work / "tweets.jsonl"), *own_texts())
    before = [e for source in sources for e in read_source(source)]
    before = random.Random(0).sample(before, given.known)
    known = read_vectors(start, before, given.work / "before.npz")
    asked = read_vectors(start, articles, given.work / "sentfin.npz")
    sizes = [int(n) for n in given.labels.split(",")]
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    drawn = {seed: draw(len(articles), given.pool, given.test, seed) for seed in seeds}
    first = {head: fit(known[head], asked[head].of([]), 0, 0) for head in known}

    def kept(seed: int, mix: str | None) -> list[tuple[Any, Any]]:
        note = given.work / f"heads-{seed}-{mix or 'random'}-{given.labels}-{given.pool}-{given.test}.npz"
        if not note.is_file():
            np.savez(note, np.array(curve(first, known, asked, drawn[seed], sizes, seed, mix)))
        return [(right, counts) for right, counts in np.load(note)["arr_0"]]

    plain = {seed: kept(seed, None) for seed in seeds}
    for mix in given.mix or [DEFAULT_MIX]:
        print(f"{mix}: {given.seeds} seeds, {len(articles)} articles")
        print(f"{'labels':>7}{'random':>26}{'queue':>26}{'queue - random':>30}", flush=True)
        by_queue = {seed: kept(seed, mix) for seed in seeds}
        for place, size in enumerate(sizes):
            tell(size, [{"random": plain[seed][place], "queue": by_queue[seed][place]} for seed in seeds])


def draw(articles: int, pool: int, test: int, seed: int) -> tuple[Any, Any]:
    """Articles that may be asked for, and others to be judged on."""
    order = np.random.default_rng(seed).permutation(articles)
    return order[test : test + pool], order[:test]


def place(sentiment: str | None) -> int:
    return SENTIMENTS.index(sentiment) if sentiment else -1


@torch.inference_mode()
def read_vectors(start: Path, examples: Sequence[Example], note: Path) -> dict[str, Rows]:
    """Rows of the two heads; kept beside the starter. Stories: the text's mean; companies: their tokens' and the text's."""
    if note.is_file():
        kept = np.load(note)
        return {
            head: Rows(*(kept[f"{head}_{part}"] for part in ("v", "t", "a"))) for head in ("story", "company")
        }
    loaded = load_model(start)
    network, collate = loaded.network.eval(), Collator(loaded.tokenizer, compare=loaded.compares)
    found: dict[str, list[tuple[Any, int, int]]] = {"story": [], "company": []}
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].text))
    for at in range(0, len(order), 64):
        rows = order[at : at + 64]
        batch = collate([examples[i] for i in rows])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden, pooled = network.encode(batch["input_ids"], batch["attention_mask"])
        hidden, pooled = hidden.float(), pooled.float()
        own = average(hidden, batch["mentions"])
        for b, i in enumerate(rows):
            found["story"].append((pooled[b].numpy(), place(examples[i].sentiment), i))
            for k, company in enumerate(examples[i].companies):
                vector = torch.cat([own[b, k], pooled[b]]).numpy()
                found["company"].append((vector, place(company.sentiment), i))
    out = {head: Rows(*(np.array(part) for part in zip(*rows, strict=True))) for head, rows in found.items()}
    parts = {
        f"{head}_{name}": part
        for head, r in out.items()
        for name, part in zip("vta", (r.vectors, r.truth, r.article), strict=True)
    }
    np.savez(note, **parts)
    return out


def curve(
    first: dict[str, Any],
    known: dict[str, Rows],
    asked: dict[str, Rows],
    drawn: tuple[Any, Any],
    sizes: Sequence[int],
    seed: int,
    mix: str | None,
) -> list[tuple[Any, Any]]:
    """(verdicts right, verdicts) per judged article after each number of labels; without a mix they are drawn at random."""
    pool, test = drawn
    labelled: set[int] = set()
    out, heads = [], first
    for size in sizes:
        if size:
            unsure = None if mix is None else [uncertainty(p) for p in sure_of(heads["story"], asked, pool)]
            labelled = ask(
                labelled, size, random.Random(1000 * seed + size), len(pool), unsure, mix or "random=1"
            )
            given = pool[sorted(labelled)]
            heads = {head: fit(known[head], asked[head].of(given), size, seed) for head in known}
        out.append(judge(heads, asked, test))
    return out


def fit(known: Rows, labels: Rows, size: int, seed: int) -> Any:
    """A head on labels and on what is rehearsed: as many as labels, at least REHEARSED_LEAST; all of it without labels."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(known.truth >= 0))
    rows = rows[: max(size, REHEARSED_LEAST)] if size else rows
    head = LogisticRegression(C=0.3, max_iter=200)
    return head.fit(
        np.concatenate([known.vectors[rows], labels.vectors]),
        np.concatenate([known.truth[rows], labels.truth]),
    )


def sure_of(head: Any, asked: dict[str, Rows], pool: Any) -> Any:
    """Probabilities of the story for each article of the pool."""
    vectors = np.empty_like(asked["story"].vectors)
    vectors[asked["story"].article] = asked["story"].vectors
    return head.predict_proba(vectors[pool])


def judge(heads: dict[str, Any], asked: dict[str, Rows], test: Any) -> tuple[Any, Any]:
    at = {article: place for place, article in enumerate(test)}
    right, counts = np.zeros(len(test)), np.zeros(len(test))
    for name, head in heads.items():
        rows = asked[name].of(test)
        places = [at[article] for article in rows.article]
        np.add.at(right, places, head.predict(rows.vectors) == rows.truth)
        np.add.at(counts, places, 1)
    return right, counts


if __name__ == "__main__":
    main()
