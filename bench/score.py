"""How fast texts are scored: against how people do it, against other libraries, against the machine itself.

    .venv/bin/python bench/score.py                       # engines, share of the matrix rate, database to database
    .venv/bin/python bench/score.py --only database --backlog 100000      # the memory curve of a long backlog

The texts are --texts headlines and headlines with summaries, half each: from the recorded wire, and from --data (the public
sets of model/starter.toml) where it is given. Engines take turns on pieces of them (A B A B), the slow peers on every
--every-th text of a piece. Besides the wall clock the CPU time is given: on a busy machine its ratios are the truer ones.
A peer whose library is missing is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import score_engines as engines  # noqa: E402

from model.inference import Classifier, batches_under  # noqa: E402

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
# Computed, not measured: an on-demand vCPU-hour of a compute-optimised cloud machine, and an hour of a small inference
# GPU (24 GB); US dollars, list prices to be replaced by one's own.
DOLLARS_CPU_HOUR, DOLLARS_GPU_HOUR = 0.045, 0.80
# Dense bf16 of that GPU by its data sheet, and the share of it that encoders this small are assumed to reach.
GPU_FLOPS, GPU_SHARE = 121e12, 0.25


def main() -> None:
    options = read_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    texts = read_texts(options.texts, options.data)
    print(f"{len(texts):,} texts, {torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    if "engines" in options.only:
        compare_engines(texts, options)
    if "share" in options.only:
        measure_share(texts)
    if "database" in options.only:
        measure_database(texts, options)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument(
        "--data", type=Path, help="folder with sentfin/ and tfn_topic/ of the starter's recipe"
    )
    parser.add_argument("--piece", type=int, default=2048, help="texts an engine gets at a turn")
    parser.add_argument("--every", type=int, default=4, help="slow peers get every n-th text of a piece")
    parser.add_argument("--engines", nargs="+", default=[*engines.PEERS, *engines.OURS])
    parser.add_argument("--only", nargs="+", default=["engines", "share", "database"])
    parser.add_argument("--stories", type=int, default=8192, help="stories of the database measurement")
    parser.add_argument(
        "--backlog", type=int, default=0, help="drain so many short stories and print the memory"
    )
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def read_texts(number: int, data: Path | None) -> list[str]:
    """Distinct texts, half headlines, half headlines with a summary, in random order; the same at every call."""
    short, long = [], []
    for path in sorted((ROOT / "pipeline" / "demo" / "wire").glob("*.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            short.append(row["title"])
            long.append(f"{row['title']}. {row.get('summary') or ''}")
    for name, into in (("sentfin", short), ("tfn_topic", long)):
        if data is not None:
            lines = (data / name / "train.jsonl").read_text().splitlines()
            into += [json.loads(line)["text"] for line in lines]
    shuffle = random.Random(5).shuffle
    chosen = []
    for found in (sorted(set(short)), sorted(set(long))):
        shuffle(found)
        # too few: said again with another number at the end, which changes neither length nor words much
        again = (f"{text} {turn}" for turn in itertools.count(2) for text in found)
        chosen += list(itertools.islice(itertools.chain(found, again), number // 2))
    shuffle(chosen)
    return chosen


# --- engines --------------------------------------------------------------------------------------------------------


@dataclass
class Engine:
    """One engine in a process of its own: none inherits the allocator settings or the threads of another."""

    name: str
    process: Any
    pipe: Any
    is_ours: bool
    version: str = ""
    texts: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    verdicts: list[tuple[tuple[float, ...], dict[str, float]]] = field(default_factory=list)

    def take(self, texts: Sequence[str]) -> None:
        self.pipe.send(texts)
        wall_s, cpu_s, verdicts = self.pipe.recv()
        self.wall_s += wall_s
        self.cpu_s += cpu_s
        self.texts += len(texts)
        self.verdicts += verdicts


def serve(name: str, threads: int, pipe: Any) -> None:
    """The process of an engine: says whether it can run, then answers texts with times and verdicts until None."""
    torch.set_num_threads(threads)
    try:
        run, classifier = engines.build(name)
    except ImportError as error:
        pipe.send(error)
        return
    run(["Acme shares plunge after a profit warning"] * 64)
    pipe.send(classifier.version if classifier else "")
    while (texts := pipe.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        found = run(texts)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        pipe.send((wall, cpu, [(tuple(v.sentiment), dict(v.topics)) for v in found] if classifier else []))


def compare_engines(texts: Sequence[str], options: argparse.Namespace) -> None:
    taking_turns = list(start_engines(options.engines))
    for start in range(0, len(texts), options.piece):
        piece = texts[start : start + options.piece]
        for engine in taking_turns:
            engine.take(piece if engine.is_ours else piece[:: options.every])
    for engine in taking_turns:
        engine.pipe.send(None)
        engine.process.join()
    by_name = {engine.name: engine for engine in taking_turns}
    reference = by_name.get("torch-fp32")
    print(
        f"\n{'engine':<15}{'texts/s':>9}{'CPU ms/text':>13}{'x pipeline':>12}{'x fixed128':>12}  {'by CPU':<14}verdicts as fp32"
    )
    for engine in taking_turns:
        peers = [by_name.get(name) for name in engines.PEERS]
        print(
            f"{engine.name:<15}{engine.texts / engine.wall_s:>9.1f}{1000 * engine.cpu_s / engine.texts:>13.2f}"
            + "".join(f"{faster(engine, peer, 'wall_s'):>12}" for peer in peers)
            + "  "
            + f"{' / '.join(faster(engine, peer, 'cpu_s') for peer in peers):<14}"
            + agreement(engine, reference),
            flush=True,
        )


def start_engines(names: Sequence[str]) -> Iterator[Engine]:
    for name in names:
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(
            target=serve, args=(name, torch.get_num_threads(), theirs), daemon=True
        )
        process.start()
        if isinstance(version := ours.recv(), ImportError):
            print(f"{name}: left out, {version}")
            continue
        print(f"{name} {version}", flush=True)
        yield Engine(name, process, ours, name in engines.OURS, version)


def faster(engine: Engine, peer: Engine | None, clock: str) -> str:
    if peer is None:
        return "-"
    return f"{(getattr(peer, clock) / peer.texts) / (getattr(engine, clock) / engine.texts):.1f}"


def agreement(engine: Engine, reference: Engine | None) -> str:
    if reference is None or not engine.is_ours or engine is reference:
        return ""
    if engine.version != reference.version:
        return "another model: the starter changed meanwhile, run again"
    pairs = list(zip(engine.verdicts, reference.verdicts, strict=True))
    same = sum(a.index(max(a)) == b.index(max(b)) for (a, _), (b, _) in pairs) / len(pairs)
    sentiment = [abs(x - y) for (a, _), (b, _) in pairs for x, y in zip(a, b, strict=True)]
    topics = [abs(a[t] - b[t]) for (_, a), (_, b) in pairs for t in b]
    beyond = sum(d > 0.01 for d in sentiment) / len(sentiment)
    return f"{same:.2%} same, largest difference {max(sentiment):.4f} (topics {max(topics):.4f}), {beyond:.2%} beyond 0.01"


# --- share of the machine's matrix rate -----------------------------------------------------------------------------


def measure_share(texts: Sequence[str], rounds: int = 3) -> None:
    """Encoder forward against bare matrix products of its shapes, in turns, in the classifier's number format."""
    classifier = Classifier.load(device="cpu")
    config: Any = classifier.network.encoder.config
    items = classifier._prepare_all(texts)
    lengths = {i: len(item.ids) for i, item in enumerate(items)}  # type: ignore[union-attr]
    batches = [
        classifier._tensors([items[i] for i in rows])
        for rows in batches_under(lengths, classifier.batch_tokens)
    ]
    padded = sum(ids.numel() for ids, _ in batches)
    h, i, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    dense = 2 * sum(lengths.values()) * layers * (4 * h * h + 2 * h * i)
    attention = layers * 4 * h * sum(n * n for n in lengths.values())
    forward = products = 0.0
    forward_cpu = products_cpu = 0.0
    with torch.inference_mode():
        for turn in range(rounds + 1):
            start = time.process_time()
            passed = clock(lambda: [classifier._encode(*batch) for batch in batches])
            middle = time.process_time()
            bare = clock(
                lambda: multiply(classifier.batch_tokens, h, i, layers, len(batches), classifier.dtype)
            )
            if turn:  # the first one warms up
                forward, products = forward + passed, products + bare
                forward_cpu += middle - start
                products_cpu += time.process_time() - middle
    rate = rounds * 2 * len(batches) * classifier.batch_tokens * layers * (4 * h * h + 2 * h * i) / products
    reached = rounds * (dense + attention) / forward
    print(
        f"\nforward pass ({classifier.dtype}): {len(texts):,} texts, {sum(lengths.values()):,} tokens, padded to {padded:,}\n"
        f"  operations: 2 x tokens x {layers} layers x (4 x {h}^2 + 2 x {h} x {i}) = {dense / 1e9:.1f} G,"
        f" attention {layers} x 4 x {h} x sum of squared lengths = {attention / 1e9:.1f} G (padding not counted)\n"
        f"  {rounds * len(texts) / forward:.0f} texts/s, {reached / 1e9:.1f} GFLOP/s; bare products of the same shapes"
        f" {rate / 1e9:.1f} GFLOP/s; share {reached / rate:.0%},"
        f" by processor time {reached / rate * (forward / forward_cpu) / (products / products_cpu):.0%}",
        flush=True,
    )
    per_core_hour = 3600 * rounds * len(texts) / forward / torch.get_num_threads()
    per_gpu_hour = 3600 * GPU_SHARE * GPU_FLOPS / ((dense + attention) / len(texts))
    print(
        f"  a million stories: {1e6 / per_core_hour:.2f} CPU core-hours, ${1e6 / per_core_hour * DOLLARS_CPU_HOUR:.3f}"
        f" at ${DOLLARS_CPU_HOUR} an hour (forward pass only);\n"
        f"  computed, not run: {1e6 / per_gpu_hour:.4f} GPU-hours, ${1e6 / per_gpu_hour * DOLLARS_GPU_HOUR:.4f}"
        f" at ${DOLLARS_GPU_HOUR} an hour, {GPU_SHARE:.0%} of {GPU_FLOPS / 1e12:.0f} TFLOP/s"
    )


def multiply(tokens: int, h: int, i: int, layers: int, times: int, dtype: torch.dtype) -> None:
    """The dense products of `times` batches: per layer four of (tokens,h)x(h,h), one (h,i), one (i,h)."""
    x, wide = torch.randn(tokens, h, dtype=dtype), torch.randn(tokens, i, dtype=dtype)
    square, up, down = (torch.randn(*s, dtype=dtype) for s in ((h, h), (i, h), (h, i)))
    linear = torch.nn.functional.linear
    for _ in range(times * layers):
        for _ in range(4):
            linear(x, square)
        linear(x, up)
        linear(wide, down)


def clock(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


# --- database to database -------------------------------------------------------------------------------------------


def measure_database(texts: Sequence[str], options: argparse.Namespace) -> None:
    """The rate of whole scoring runs on a real queue against the classifier alone on the same stories."""
    import sqlalchemy as sa

    from pipeline.score.classifier import StoryClassifier
    from pipeline.score.step import Work, score_waiting
    from pipeline.store import models, scores

    classify = StoryClassifier(Classifier.load(device="cpu"))
    with database() as engine:
        with engine.begin() as connection:
            model = models.register_model(connection, version="v1", path="starter", manifest={}, as_of=NOW).id

        def drain(batch: int, progress: Callable[[int], None] = lambda done: None) -> float:
            return clock(
                lambda: score_waiting(
                    engine,
                    classify,
                    Work(model),
                    clock=lambda: NOW,
                    limit=10**9,
                    batch_stories=batch,
                    progress=progress,
                )
            )

        if options.backlog:
            fill(engine, [f"{texts[n % len(texts)][:80]} {n}" for n in range(options.backlog)])
            drain(512, Memory(options.backlog))
            return
        in_memory = in_database = 0.0
        for turn in range(5):
            fill(engine, [f"{texts[n % len(texts)]} {turn}.{n}" for n in range(options.stories)])
            with engine.connect() as connection:
                ids = list(
                    connection.execute(sa.text("select story_id from score_queue order by id desc")).scalars()
                )
                stories = list(scores.read_waiting(connection, ids))
            alone = clock(lambda stories=stories: classify(stories))
            whole = drain(512)
            if turn:  # the first one warms up
                in_memory, in_database = in_memory + alone, in_database + whole
                n = options.stories
                print(
                    f"  in memory {n / alone:.0f} stories/s, database to database {n / whole:.0f}, {alone / whole:.0%}",
                    flush=True,
                )
    print(f"database to database: {in_memory / in_database:.0%} of the in-memory rate")


class Memory:
    """Prints resident memory at each tenth of the way."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started, self.told = total, 0, time.perf_counter(), -1

    def __call__(self, stories: int) -> None:
        import psutil

        self.done += stories
        tenth = self.done * 10 // self.total
        if tenth > self.told:
            self.told = tenth
            rss = psutil.Process(os.getpid()).memory_info().rss
            rate = self.done / (time.perf_counter() - self.started)
            print(f"  {self.done:>9,} scored, {rss / 1e6:.0f} MB resident, {rate:.0f} stories/s", flush=True)


@contextmanager
def database() -> Iterator[Any]:
    """An engine on a migrated database of a PostgreSQL of its own, with default settings; removed at the end."""
    from pipeline.store import migrate
    from pipeline.store.engine import create_engine
    from pipeline.store.server import Server

    home = Path(tempfile.mkdtemp(prefix="bench-score-"))
    server = Server(home).start()
    try:
        server.ensure_database("score")
        migrate.upgrade(server.url("score"))
        engine = create_engine(server.url("score"))
        yield engine
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(home)


def fill(engine: Any, texts: Sequence[str]) -> None:
    """Stories that wait, in the order given."""
    import sqlalchemy as sa

    rows = [{"text": text, "at": NOW + timedelta(seconds=n)} for n, text in enumerate(texts)]
    statement = (
        "insert into stories (title, text, text_hash, language, first_seen_at, available_at, last_seen_at)"
        " values ('', :text, decode(md5(:text), 'hex'), 'en', :at, :at, :at)"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(statement), rows)


if __name__ == "__main__":
    main()
