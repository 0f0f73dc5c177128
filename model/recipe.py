"""A training run as a file: settings and sources in TOML, so that one command makes the same model again.

[config]                 fields of TrainConfig
[[source]]               fields of Source; `path` is looked for under the data folder, `model:` paths in this package
[teacher]                fields of TrainConfig in which a teacher's training differs; `sha256` of its base's weights
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model.data import Source, digest, read_rows
from model.errors import BaseModelError, DataError, TrainingError
from model.registry import find_base
from model.training import TrainConfig

STARTER_RECIPE: Final = Path(__file__).with_name("starter.toml")
_HERE: Final = Path(__file__).parent


def load_recipe(
    path: Path, data: Path, changes: Mapping[str, str] | None = None
) -> tuple[TrainConfig, list[Source]]:
    """Settings and sources of a recipe; `changes` override settings by name. Raises DataError, TrainingError."""
    body = _read_toml(path)
    try:
        config = change(TrainConfig(**_tuples(body.get("config", {}))), changes or {})
        sources = [source for row in body.get("source", ()) for source in make_sources(row, data)]
    except (TypeError, AttributeError, KeyError) as error:  # another field, one that is missing, no table
        raise DataError(
            f"recipe {path}: {error}; [config] holds settings, each [[source]] name, path and licence"
        ) from error
    if not sources:
        raise DataError(f"recipe {path} names no sources")
    return config, sources


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # TOML that is none, or no UTF-8
        raise DataError(f"recipe {path} cannot be read: {error}") from error


def load_teacher(path: Path, config: TrainConfig, base: Path | None = None) -> TrainConfig | None:
    """A teacher's settings: a recipe's [teacher] over the student's; None where it has none.

    `base` is a folder with the teacher's base encoder, instead of the name in the recipe. Raises BaseModelError when
    the weights found are not those that the recipe names.
    """
    body = _read_toml(path).get("teacher")
    if body is None:
        return None
    sha256 = str(body.pop("sha256", ""))
    try:
        settings = dataclasses.replace(config, teacher="", **_tuples(body))
    except TypeError as error:
        raise DataError(f"recipe {path}: [teacher]: {error}") from error
    if base:
        settings = dataclasses.replace(settings, base=str(base))
    _, folder = find_base(settings.base)
    weights = folder / "model.safetensors" if folder else None
    if sha256 and weights and (not weights.is_file() or digest(weights) != sha256):
        raise BaseModelError(
            f"{weights} is not the encoder that the recipe's teacher stands on (SHA-256 {sha256[:12]}...)"
        )
    return settings


def make_sources(row: Mapping[str, Any], data: Path) -> list[Source]:
    """The sources of one [[source]]: one per file where `path` is a pattern. Raises DataError when none is there."""
    root, pattern = (_HERE, row["path"][6:]) if row["path"].startswith("model:") else (data, row["path"])
    paths = [root / pattern] if "*" not in pattern else sorted(root.glob(pattern))
    if missing := [p for p in paths if not p.is_file()] or ([] if paths else [root / pattern]):
        raise DataError(f"source {row['name']}: no file {missing[0]}; give its folder by --data")
    return [Source(**{**row, "path": p}) for p in paths]


def change(config: TrainConfig, changes: Mapping[str, str]) -> TrainConfig:
    """The settings with some of them given anew as text, as on a command line. Raises TrainingError on a bad one."""
    fields = {f.name: f for f in dataclasses.fields(TrainConfig)}
    given: dict[str, Any] = {}
    for name, text in changes.items():
        if name not in fields:
            raise TrainingError(f"no setting {name!r}; there are {', '.join(fields)}")
        given[name] = _read(text, fields[name].default)  # a recipe may say 4 where 4.5 is as good
    return dataclasses.replace(config, **given)


def _read(text: str, now: Any) -> Any:
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(now, tuple):
            return tuple(t for t in text.split(",") if t)
        return type(now)(text)
    except (KeyError, ValueError) as error:
        raise TrainingError(f"{text!r} is no {type(now).__name__}") from error


def _tuples(body: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}


def retrain_recipe(
    recipe: Path | None,
    data: Path,
    labels: Path | None,
    only_labels: bool,
    start: Path | None,
    changes: Mapping[str, str] | None = None,
) -> tuple[TrainConfig, list[Source]]:
    """Settings and sources for `finetune`: a recipe, new labels on top of it, or new labels with our own texts only.

    Going on from a model with new labels alone takes RETRAIN's settings and replays our own texts, so that what the
    model knew is not forgotten while 2,000 labels take minutes, not an hour.
    """
    labelled = [label_source(labels)] if labels else []
    if only_labels:
        if labels is None:
            raise DataError("--only-labels needs --labels FILE")
        config = dataclasses.replace(RETRAIN, start=str(start or ""))
        return change(config, changes or {}), [*labelled, *rehearsal(count_rows(labels))]
    config, sources = load_recipe(recipe or STARTER_RECIPE, data, changes)
    return dataclasses.replace(config, start=str(start or config.start)), [*sources, *labelled]


#: Going on from a model: a quarter of the starter's rate and two passes; more forgets. Small batches, or a few hundred
#: labels would be a few dozen steps; no joined texts, which pad a batch to its limit (model/LOG.md).
RETRAIN: Final = TrainConfig(
    epochs=2, batch=16, learning_rate=3e-5, head_factor=2.0, join_texts=0.0, tracking=()
)

#: Own texts that a retrain reads in each pass: as many as there are labels, and at least so many; other ones in each
#: pass. All of them took longer than the labels and kept no more of what was known (model/LOG.md).
REHEARSED_LEAST: Final = 600


def label_source(path: Path) -> Source:
    """Labels that people gave here, as a source: theirs to use."""
    return Source("labels", path, "internal", "labels given in this installation")


def rehearsal(labels: int) -> list[Source]:
    """Our own texts at the weight that a retrain on so many labels replays them with."""
    written = sum(count_rows(source.path) for source in own_texts())
    return own_texts(min(1.0, max(labels, REHEARSED_LEAST) / max(1, written)))


def count_rows(path: Path) -> int:
    """Rows of a file of examples."""
    return sum(1 for _ in read_rows(path))


def own_texts(weight: float = 1.0) -> list[Source]:
    """The statements in model/texts: always there, so every retrain can replay them."""
    row = {
        "name": "own",
        "path": "model:texts/*.jsonl",
        "licence": "Apache-2.0",
        "origin": "written for Undertow",
    }
    return make_sources({**row, "block": 8, "weight": weight}, _HERE)
