"""Make the starter: train by the recipe, judge what was stored, write the figures into its manifest."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.card import render_card
from model.data import Source, ledger
from model.evaluate import behave, evaluate, suite_digest
from model.finetune import finetune, read_split
from model.inference import Classifier
from model.registry import MANIFEST, Manifest, describe_base, load_manifest, write_manifest
from model.training import TrainConfig


def make_starter(
    config: TrainConfig,
    sources: Sequence[Source],
    out: Path,
    *,
    created_at: str,
    teacher: TrainConfig | None = None,
    work: Path | None = None,
    device: str = "auto",
    command: str = "",
) -> Manifest:
    """Train, then measure the stored files: development split by source, calibration, behavioural suite.

    A `teacher` is trained first, on the same sources, and kept in `work`; a run that goes on there does not train it again.
    """
    if teacher and work is None:
        with tempfile.TemporaryDirectory(prefix="undertow-starter-") as temporary:
            return make_starter(
                config,
                sources,
                out,
                created_at=created_at,
                teacher=teacher,
                work=Path(temporary),
                device=device,
                command=command,
            )
    if teacher and work:
        taught_by = work / "teacher"
        if not _is_trained(taught_by, teacher, sources):
            finetune(
                teacher,
                sources,
                taught_by,
                created_at=created_at,
                work=work / "teacher-work",
                device=device,
                command=command,
            )
        config, work = dataclasses.replace(config, teacher=str(taught_by)), work / "student-work"
    finetune(config, sources, out, created_at=created_at, work=work, device=device, command=command)
    return measure(out, config, sources)


def _is_trained(folder: Path, config: TrainConfig, sources: Sequence[Source]) -> bool:
    """Whether `folder` holds the end of a training by these settings on these files, from the same base wherever it lies."""
    if not (folder / MANIFEST).is_file():
        return False
    manifest = load_manifest(folder)
    settings = json.loads(json.dumps(dataclasses.asdict(config)))
    same_base = dict(manifest.base.files) == dict(describe_base(config.base).files)
    same_data = [dict(row) for row in manifest.data] == ledger(sources)
    return same_base and same_data and settings | {"base": ""} == dict(manifest.settings) | {"base": ""}


def measure(out: Path, config: TrainConfig, sources: Sequence[Source]) -> Manifest:
    """Judge a stored model on its recipe's development split and write the figures into its manifest."""
    classifier = Classifier.load(out)
    dev = read_split(sources, config).dev
    behaviour = behave(classifier)
    manifest = load_manifest(out)
    metrics = {
        **manifest.metrics,
        "stored": summarise(evaluate(classifier, dev).to_json()),
        "behaviour": {"overall": behaviour.overall, "cases": behaviour.cases, "kinds": dict(behaviour.kinds)},
        "behaviour_sha256": suite_digest(),
    }
    manifest = dataclasses.replace(manifest, metrics=metrics)
    write_manifest(out, manifest)
    (out / "README.md").write_text(render_card(manifest))
    return manifest


def summarise(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The figures that a card shows: per head, overall and per source."""
    out: dict[str, Any] = {}
    for head, rows in evaluation["heads"].items():
        out[head] = {k: round(rows[k], 4) for k in ("accuracy", "ece", "ece_by_chance")} | {
            "macro_f1": round(rows["macro"]["f1"], 4),
            "macro_f1_interval": [round(v, 4) for v in rows["macro_f1_interval"]],
            "n": rows["n"],
        }
        for source, row in rows["slices"]["source"].items():
            out[f"{head}/{source}"] = {k: round(v, 4) for k, v in row.items()}
    return out
