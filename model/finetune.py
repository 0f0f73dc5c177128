"""Fine-tune: labelled sources in, a verified model directory out. Used by the command, the DAG and the starter."""

from __future__ import annotations

import dataclasses
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import EarlyStoppingCallback, set_seed

from model.batches import (
    Collator,
    class_weights,
    mention_mask,
    score_examples,
    story_targets,
    with_comparisons,
)
from model.calibrate import fit_heads
from model.checkpoints import open_work
from model.data import Source, check_licences, digest_of, ledger, read_source, with_stories
from model.encoders import Loaded, load_base, load_model, token_limit
from model.errors import DataError
from model.example import Example
from model.hardware import keep_freed_memory
from model.network import LossSettings
from model.registry import ADAPTED, Manifest, load_manifest, save_model
from model.splits import count_labels, group_stories, refuse_leak, split_by_story, split_by_time
from model.teach import describe_teacher, teach
from model.training import (
    Clock,
    Examples,
    NewsTrainer,
    RankAllocator,
    TrainConfig,
    arguments,
    base_of,
    dev_metrics,
    merged_state,
    prepare,
    side_files,
)
from model.wide import Tokens, Wide, fit_wide


@dataclass(frozen=True)
class TrainResult:
    """Where the model is, what it is called, and what it scored on the development split."""

    path: Path
    version: str
    metrics: dict[str, float]
    train_examples: int
    dev_examples: int
    seconds: float


@dataclass(frozen=True)
class Split:
    """Examples to learn from and to judge on; no story is on both sides."""

    train: list[Example]
    dev: list[Example]


def read_split(sources: Sequence[Source], config: TrainConfig) -> Split:
    """Read all sources, group near copies over all of them, split. Raises DataError, LicenceError, Leak."""
    check_licences(sources, config.use)
    read = [(s, e) for s in sources for e in read_source(s)]
    if not read:
        raise DataError("no examples: every source is empty")
    if not any(e.sentiment or e.topics or any(c.sentiment for c in e.companies) for _, e in read):
        raise DataError(
            f"none of {len(read)} examples has a label; a source's `columns` say which columns are sentiment, companies "
            "and topics"
        )
    examples = [replace(e, weight=s.weight) for s, e in read]
    examples = with_stories(examples, group_stories([e.text for e in examples], [e.story for e in examples]))
    cut = split_by_story if config.split == "story" else split_by_time
    train, dev = cut(examples, config.dev_share)
    if not train or not dev:
        raise DataError(
            f"{len(examples)} examples are too few to split off {config.dev_share:.0%} for development"
        )
    refuse_leak((e.text for e in train), [e.text for e in dev], threshold=0.95)
    return Split(train, thin(dev, config.seed) if config.start else dev)


def thin(dev: Sequence[Example], seed: int) -> list[Example]:
    """Of a source that is rehearsed in part, the same part to judge on: the calibration is for the texts that come in."""
    rng = random.Random(seed)
    return [e for e in dev if rng.random() < e.weight]


def finetune(
    config: TrainConfig,
    sources: Sequence[Source],
    out: Path,
    *,
    created_at: str,
    work: Path | None = None,
    resume: bool = True,
    device: str = "auto",
    command: str = "",
    version: str = "",
) -> TrainResult:
    """Train on `sources` and write a model directory to `out`.

    `work` keeps checkpoints; a run killed there goes on where it was when called again with the same settings.
    `created_at` is ISO 8601 UTC. Raises DataError, LicenceError, Leak, TrainingError.
    """
    run = _Run(config, sources, out, created_at, device, command or " ".join(sys.argv), version)
    split = read_split(sources, config)
    if work is not None:
        return _train(
            run, split, work, open_work(work, f"{config!r}\n{digest_of(sources)}") if resume else None
        )
    with tempfile.TemporaryDirectory(prefix="undertow-train-") as temporary:
        return _train(run, split, Path(temporary), None)


@dataclass(frozen=True)
class _Run:
    """What a caller asked for."""

    config: TrainConfig
    sources: Sequence[Source]
    out: Path
    created_at: str
    device: str
    command: str
    version: str


def _train(run: _Run, split: Split, work: Path, checkpoint: str | None) -> TrainResult:
    keep_freed_memory()
    set_seed(run.config.seed)
    if run.config.teacher:
        split = replace(split, train=teach(Path(run.config.teacher), split.train, run.device))
    loaded = start_network(run.config, split.train)
    trainer = make_trainer(run.config, loaded, split, work, run.device)
    trainer.train(resume_from_checkpoint=checkpoint)
    seconds = trainer.seconds
    network = trainer.accelerator.unwrap_model(trainer.model).float().to("cpu")
    network.wide = widened(run.config, loaded, split.train)
    metrics, calibration = _judge(network, trainer.dev_collate, split.dev, loaded)
    if trainer.is_world_process_zero():  # one process per GPU trains, one writes
        _write(run, loaded, network, metrics, calibration, seconds)
    trainer.accelerator.wait_for_everyone()
    version = load_manifest(run.out).version
    return TrainResult(run.out, version, metrics, len(split.train), len(split.dev), seconds)


def _write(
    run: _Run,
    loaded: Loaded,
    network: torch.nn.Module,
    metrics: dict[str, float],
    calibration: dict[str, tuple[float, float]],
    seconds: float,
) -> None:
    config = run.config
    teacher = describe_teacher(Path(config.teacher), config.teacher_share) if config.teacher else {}
    manifest = Manifest(
        version=run.version,
        created_at=run.created_at,
        base=base_of(run.config, loaded),
        command=run.command,
        languages=run.config.languages,
        max_tokens=token_limit(loaded.network.encoder),
        temperatures={head: temperature for head, (temperature, _) in calibration.items()},
        smoothings={head: smoothing for head, (_, smoothing) in calibration.items()},
        use=run.config.use,
        data=tuple(ledger(run.sources)),
        metrics={"dev": metrics, "train_seconds": round(seconds, 1)},
        settings=dataclasses.asdict(run.config)
        | {"teacher": teacher.get("version", ""), "compare_figures": loaded.compares},
        parent=loaded.manifest.version if loaded.manifest else "",
        teacher=teacher,
    )
    # In bf16, the format that products are computed in: scoring then rounds no weight any more, which was the
    # largest part of its difference from fp32 (model/LOG.md).
    state = {k: v.bfloat16() if v.is_floating_point() else v for k, v in merged_state(network).items()}
    with side_files(loaded, manifest.base) as side:
        save_model(run.out, state, manifest, side)


def start_network(config: TrainConfig, train: Sequence[Example]) -> Loaded:
    """The network a run begins with: the base encoder with new heads, or an earlier model."""
    weights = class_weights(count_labels(train), config.class_power) if config.class_power else None
    loss = LossSettings(config.smoothing, weights)
    loaded = (
        load_model(Path(config.start), loss)
        if config.start
        else load_base(config.base, loss, config.attention_dropout)
    )
    loaded.network.wide = None  # the network learns as if it were alone
    prepare(loaded.network, config)
    return loaded if is_trained(loaded) else replace(loaded, compares=config.compare_figures)


def is_trained(loaded: Loaded) -> bool:
    """Is it a model that judges, not a base encoder nor one that was only adapted?"""
    return loaded.manifest is not None and loaded.manifest.settings.get("stage") != ADAPTED


def widened(config: TrainConfig, loaded: Loaded, train: Sequence[Example]) -> Wide | None:
    """The wide part for a network trained on `train`: a new one, or its start's moved on; none where a trained start had none."""
    before = load_model(Path(config.start)).network.wide if config.start else None
    if not config.wide_share or (is_trained(loaded) and before is None):
        return None
    train = [with_comparisons(e) for e in train] if loaded.compares else train
    encoded = loaded.tokenizer(
        [e.text for e in train], truncation=True, max_length=config.max_tokens, return_offsets_mapping=True
    )
    texts = []
    for ids, offsets, example in zip(encoded["input_ids"], encoded["offset_mapping"], train, strict=True):
        named = mention_mask(offsets, [span for c in example.companies for span in c.spans])
        texts.append(Tokens(ids, [1 - hit for hit in named]))
    targets = {head: t.double().numpy() for head, t in story_targets(train, config.teacher_share).items()}
    weights = np.array([e.weight for e in train])
    return fit_wide(texts, targets, weights, config.wide_share, prior=before)


def make_trainer(
    config: TrainConfig, loaded: Loaded, split: Split, work: Path, device: str = "auto", **extra: Any
) -> NewsTrainer:
    """The Trainer of a run; `extra` reaches transformers' Trainer (the search gives model_init)."""
    partners = tuple(e for e in split.train if any(c.sentiment for c in e.companies))
    names = tuple(sorted({c.name for e in partners for c in e.companies}))
    most = token_limit(loaded.network.encoder, config.max_tokens)
    collate = Collator(
        loaded.tokenizer,
        most,
        config.swap_names,
        config.join_texts,
        partners,
        names,
        config.teacher_share,
        loaded.compares,
    )
    callbacks: list[Any] = [EarlyStoppingCallback(config.patience), Clock()]
    if config.method == "adalora":
        callbacks.append(RankAllocator())
    return NewsTrainer(
        config=config,
        dev=split.dev,
        dev_collate=Collator(loaded.tokenizer, most, compare=loaded.compares),
        model=None if "model_init" in extra else loaded.network,
        args=arguments(config, work, device),
        train_dataset=Examples(split.train),
        data_collator=collate,
        callbacks=callbacks,
        **extra,
    )


def _judge(
    network: torch.nn.Module, collate: Collator, dev: Sequence[Example], loaded: Loaded
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    scored = score_examples(network, collate, dev, torch.device("cpu"))
    metrics = {k: round(v, 4) for k, v in dev_metrics(scored, dev).items() if not math.isnan(v)}
    before = {}
    if loaded.manifest and is_trained(loaded):
        smoothings = loaded.manifest.smoothings
        before = {head: (t, smoothings.get(head, 0.0)) for head, t in loaded.manifest.temperatures.items()}
    return metrics, fit_heads(scored, dev, before)
