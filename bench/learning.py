"""What labels buy on a source that the starter has not seen, chosen by the queue or at random, at equal cost.

    python bench/learning.py --data DIR --work DIR [--labels 0,250,500,1000,2000] [--seeds 1] [--pool 4000] [--test 800]

DIR holds sentfin/train.jsonl and tfns/train.jsonl. A starter is trained without SEntFiN (4,000 tweets and our own texts,
one pass; kept in --work). Then articles of SEntFiN are labelled step by step: by the queue of the product with the model
of the step before, or at random; each model is retrained from that starter as `undertow retrain` does it. Accuracy is
over verdicts on stories and companies of articles that nobody was asked for, with 95 % bootstrap intervals over articles
and seeds, and the difference queue - random is paired. A step that is done is not done again: kill it and call it again.

bench/learning_heads.py asks the same of many seeds and several mixes, with the encoder left as it is.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from model.threads import share_cores  # noqa: E402

share_cores()

from model.data import Source, make_example, read_rows, write_examples  # noqa: E402
from model.example import Example  # noqa: E402
from model.finetune import finetune  # noqa: E402
from model.hardware import pick_device  # noqa: E402
from model.inference import Classifier  # noqa: E402
from model.recipe import RETRAIN, label_source, own_texts, rehearsal  # noqa: E402
from model.registry import MANIFEST  # noqa: E402
from model.splits import group_stories  # noqa: E402
from model.training import TrainConfig  # noqa: E402
from pipeline.label.evidence import rights_per_article  # noqa: E402
from pipeline.label.measure import judge  # noqa: E402
from pipeline.label.queue import Candidate, choose, uncertainty  # noqa: E402
from pipeline.values import parse_mix  # noqa: E402

AT = "2026-01-01T00:00:00+00:00"
ROUNDS = 2000
TWEETS = 4000
DEVICE = pick_device().type


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--labels", default="0,250,500,1000,2000")
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--pool", type=int, default=4000)
    arguments.add_argument("--test", type=int, default=800)
    arguments.add_argument("--mix", default="uncertain=40,alert=20,disputed=10,drift=10,suspect=10,random=10")
    given = arguments.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    start = starter_without(given.data, given.work / "starter")
    pool, test = split(read_sentfin(given.data), given.pool, given.test)
    sizes = [int(n) for n in given.labels.split(",")]
    before = rights(start, test)
    print(
        f"{len(pool)} articles to choose from, {len(test)} to judge on ({before[1].sum()} verdicts)",
        flush=True,
    )
    print(f"{'labels':>7}{'random':>26}{'queue':>26}{'queue - random':>30}", flush=True)
    for size in sizes:
        lines = []
        for seed in range(given.seeds):
            curves = {
                how: curve(how, size, sizes, start, pool, given.work / f"{how}-{seed}", seed, given.mix)
                for how in ("random", "queue")
            }
            lines.append({how: rights(path, test) for how, path in curves.items()})
        tell(size, lines)


def read_sentfin(data: Path) -> list[Example]:
    """SEntFiN's articles: the sentiment of the headline where it has one, and of each company."""
    source = Source(
        "sentfin",
        data / "sentfin/train.jsonl",
        "MIT",
        columns={"companies": "entities"},
        values={"mixed": ""},
    )
    made = [make_example(row, source) for row in read_rows(source.path)]
    return [e for e in made if e is not None and (e.sentiment or e.companies)]


def split(examples: Sequence[Example], pool: int, test: int) -> tuple[list[Example], list[Example]]:
    """One article per story, shuffled once: what may be asked for, and what is judged on."""
    seen, distinct = set(), []
    for story, example in zip(group_stories([e.text for e in examples]), examples, strict=True):
        if story not in seen:
            seen.add(story)
            distinct.append(example)
    random.Random(0).shuffle(distinct)
    return distinct[test : test + pool], distinct[:test]


def starter_without(data: Path, out: Path) -> Path:
    """A starter that has never seen SEntFiN."""
    if not (out / MANIFEST).is_file():
        config = TrainConfig(epochs=1, batch=16, learning_rate=1e-4, join_texts=0.0, tracking=())
        sources = [tweets(data, out.with_name("tweets.jsonl")), *own_texts()]
        work = out.with_name("starter-work")
        finetune(config, sources, out, created_at=AT, work=work, device=DEVICE)
    return out


def tweets(data: Path, path: Path) -> Source:
    """The first of TFNS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((data / "tfns/train.jsonl").read_text().splitlines(keepends=True)[:TWEETS]))
    return Source("tfns", path, "MIT")


def curve(
    how: str,
    size: int,
    sizes: Sequence[int],
    start: Path,
    pool: Sequence[Example],
    folder: Path,
    seed: int,
    mix: str,
) -> Path:
    """The model after `size` labels; the articles of the step before are part of it."""
    if size == 0:
        return start
    out = folder / str(size)
    if (out / MANIFEST).is_file():
        return out
    asked = sorted(chosen(how, size, sizes, start, pool, folder, seed, mix))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{size}.jsonl"
    write_examples(path, [pool[i] for i in asked])
    started = time.perf_counter()
    config = replace(RETRAIN, start=str(start), seed=seed)
    finetune(
        config,
        [label_source(path), *rehearsal(size)],
        out,
        created_at=AT,
        work=folder / f"{size}-work",
        device=DEVICE,
    )
    print(f"# {how} {size}: trained in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return out


def chosen(
    how: str,
    size: int,
    sizes: Sequence[int],
    start: Path,
    pool: Sequence[Example],
    folder: Path,
    seed: int,
    mix: str,
) -> set[int]:
    """Places in the pool that were asked for up to `size` labels."""
    note = folder / f"{size}.json"
    if note.is_file():
        return set(json.loads(note.read_text()))
    if size == 0:
        return set()
    earlier = max(n for n in sizes if n < size)
    before = chosen(how, earlier, sizes, start, pool, folder, seed, mix)
    unsure = None
    if how == "queue":
        model = curve(how, earlier, sizes, start, pool, folder, seed, mix)
        said = Classifier.load(model).predict([e.text for e in pool])
        unsure = [uncertainty(verdict.sentiment) for verdict in said]  # type: ignore[union-attr]
    found = ask(before, size, random.Random(1000 * seed + size), len(pool), unsure, mix)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(sorted(found)))
    return found


def ask(
    before: set[int], size: int, rng: random.Random, pool: int, unsure: Sequence[float] | None, mix: str
) -> set[int]:
    """`before` and as many more of the pool as make `size`: by the queue where it is told how unsure the model is."""
    points = [rng.random() for _ in range(pool)]
    rest = [i for i in range(pool) if i not in before]
    if unsure is None:
        return before | set(sorted(rest, key=lambda i: points[i])[: size - len(before)])
    candidates = [Candidate(i, i, unsure[i], points[i]) for i in rest]
    return before | {q.article_id for q in choose(candidates, parse_mix(mix), size - len(before))}


def rights(model: Path, test: Sequence[Example]) -> tuple[Any, Any]:
    """(verdicts right, verdicts) per article of the test; kept beside the model."""
    note = model.parent / f"{model.name}-{len(test)}.npz"
    if note.is_file():
        kept = np.load(note)
        return kept["right"], kept["all"]
    verdicts = judge(Classifier.load(model), test)
    right = rights_per_article(verdicts, len(test))
    counts = np.bincount(verdicts.article, minlength=len(test))
    np.savez(note, right=right, all=counts)
    return right, counts


def tell(size: int, lines: Sequence[dict[str, tuple[Any, Any]]]) -> None:
    """One line of the table: accuracies and their difference with intervals over articles and seeds."""
    cells, spread = [], {}
    for how in ("random", "queue"):
        right = np.array([line[how][0] for line in lines], dtype=float)
        counts = np.array([line[how][1] for line in lines], dtype=float)
        spread[how] = resample(right, counts, np.random.default_rng(0))
        low, high = np.quantile(spread[how], [0.025, 0.975])
        cells.append((right.sum() / counts.sum(), low, high))
    low, high = np.quantile(spread["queue"] - spread["random"], [0.025, 0.975])
    told = [f"{value:.3f} ({bottom:.3f} to {top:.3f})" for value, bottom, top in cells]
    change = f"{cells[1][0] - cells[0][0]:+.3f} ({low:+.3f} to {high:+.3f})"
    print(f"{size:>7}{told[0]:>26}{told[1]:>26}{change:>30}", flush=True)


def resample(right: Any, counts: Any, rng: Any) -> Any:
    """Accuracies (ROUNDS,) when articles and seeds are drawn again; right, counts: (seeds, articles)."""
    seeds, articles = right.shape
    out = []
    for _ in range(ROUNDS):
        rows, picked = rng.integers(0, articles, articles), rng.integers(0, seeds, seeds)
        out.append(right[picked][:, rows].sum() / counts[picked][:, rows].sum())
    return np.array(out)


if __name__ == "__main__":
    main()
