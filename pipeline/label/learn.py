"""The learner's side of a retraining: files out, the encoder adapted, a challenger trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pipeline.label.dataset import Copies, Dataset, LabelledArticle

Trained = TypeVar("Trained")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Where one retraining keeps what it works with; all of it may be deleted when the run is over."""

    folder: Path

    @property
    def new(self) -> Path:
        return self.folder / "labels_new.jsonl"

    @property
    def old(self) -> Path:
        return self.folder / "labels_old.jsonl"

    @property
    def frozen(self) -> Path:
        return self.folder / "frozen.jsonl"

    @property
    def texts(self) -> Path:
        return self.folder / "texts.jsonl"

    @property
    def adapted(self) -> Path:
        return self.folder / "adapted"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def curves(self) -> Path:
        return self.folder / "curves"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence.json"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def write_dataset(files: RunFiles, dataset: Dataset) -> None:
    """Writes what is learnt from and what is judged on; the frozen file comes last and says that all are complete."""
    files.folder.mkdir(parents=True, exist_ok=True)
    _write_lines(files.new, [article.as_example() for article in dataset.new])
    _write_lines(files.old, [article.as_example() for article in dataset.old])
    frozen = [
        {**article.as_example(), "set": name, "article_id": article.article_id}
        for article, name in zip(dataset.frozen, dataset.frozen_sets, strict=True)
    ]
    _write_lines(files.frozen, frozen)


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    partial.replace(path)


def find_copies(articles: Sequence[LabelledArticle], unlabelled: Sequence[tuple[str, bool]]) -> Copies:
    """Which articles are near copies of each other, by the same measure as the leak check.

    `unlabelled`: texts whose labels were all taken back, and of each whether it is judged on (else it may have been
    trained on).
    """
    from model.splits import group_stories

    keys = group_stories([*(article.text for article in articles), *(text for text, _ in unlabelled)])
    rest: dict[bool, set[str]] = {True: set(), False: set()}
    for key, (_, judged) in zip(keys[len(articles) :], unlabelled, strict=True):
        rest[judged].add(key)
    return Copies(tuple(keys[: len(articles)]), taught=frozenset(rest[False]), frozen=frozenset(rest[True]))


# ---- training


def train_challenger(
    files: RunFiles,
    out: Path,
    *,
    start: Path | None,
    base: str,
    replay_weight: float,
    created_at: str,
    device: str,
    tracking: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Fine-tunes on new labels, older ones and our own texts, from the run's adapted encoder, `start` or the base; writes `out`.

    Goes on from the run's checkpoints after a kill, starts again where they are of no use. Returns figures of the run.
    """
    from model.finetune import finetune
    from model.recipe import RETRAIN, count_rows, label_source, own_texts, rehearsal
    from model.training import TrainConfig

    start = files.adapted if files.adapted.is_dir() else start
    config = RETRAIN if start else TrainConfig(base=base)
    config = replace(config, start=str(start or ""), tracking=tracking)
    # a model that starts from nothing has nothing to rehearse: it learns from all there is
    sources = [label_source(files.new), *(rehearsal(count_rows(files.new)) if start else own_texts())]
    if files.old.stat().st_size:
        weight = replay_weight if start else 1.0
        sources.append(replace(label_source(files.old), name="labels_before", weight=weight))
    arguments: dict[str, Any] = {"created_at": created_at, "work": files.work, "device": device}
    arguments["command"] = f"undertow retrain --run-key {files.folder.name}"
    result = _go_on_or_afresh(files.work, lambda: finetune(config, sources, out, **arguments))
    _clear(files.work, files.curves / "train")
    return {
        "train_examples": result.train_examples,
        "dev_examples": result.dev_examples,
        "train_seconds": round(result.seconds, 1),
        "dev": result.metrics,
    }


def forget_adapted(files: RunFiles) -> None:
    """Deletes the adapted encoder and what it read, once a challenger has begun from it: as large as a model, every week."""
    shutil.rmtree(files.adapted, ignore_errors=True)
    files.texts.unlink(missing_ok=True)


def _go_on_or_afresh(work: Path, train: Callable[[], Trained]) -> Trained:
    """What `train` returns; checkpoints in `work` are deleted where they are of other settings or data.

    Both may change between two tries of one run: by a setting, an archive that is imported, articles that are revised.
    """
    from model.errors import TrainingError

    try:
        return train()
    except TrainingError:
        shutil.rmtree(work, ignore_errors=True)
        return train()


def _clear(work: Path, curves: Path) -> None:
    """Deletes the checkpoints; the curves that tensorboard has there are kept."""
    if (work / "runs").is_dir():
        shutil.rmtree(curves, ignore_errors=True)
        curves.parent.mkdir(exist_ok=True)
        (work / "runs").rename(curves)
    shutil.rmtree(work, ignore_errors=True)


def adapt_encoder(
    files: RunFiles,
    texts: Sequence[str],
    *,
    start: Path | None,
    base: str,
    created_at: str,
    device: str,
    tracking: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Lets the encoder read unlabelled texts (masked words), oldest first; writes `files.adapted`.

    Goes on after a kill as `train_challenger` does.
    """
    from model.data import Source
    from model.pretrain import pretrain
    from model.training import TrainConfig

    _write_lines(files.texts, [{"text": text} for text in texts])
    source = Source("news", files.texts, "internal", "articles of this installation, without labels")
    config = TrainConfig(base=base, start=str(start or ""), epochs=1, learning_rate=5e-5, tracking=tracking)
    work = files.folder / "work_adapt"
    result = _go_on_or_afresh(
        work,
        lambda: pretrain(
            config, texts, files.adapted, created_at=created_at, sources=[source], work=work, device=device
        ),
    )
    _clear(work, files.curves / "adapt")
    return {"texts": result.texts, "loss_before": result.loss_before, "loss_after": result.loss_after}
