"""What a challenger begins with and how models are loaded: the settings, as the retraining's steps hand them on."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline import run
from pipeline.errors import ConfigurationError, UsageError
from pipeline.run import Line
from pipeline.store import models
from pipeline.store.retrainings import Retraining


def folder_of(line: Line, stored: models.StoredModel) -> Path:
    """Directory of a stored model, the starter's in the package included. Raises ModelUnavailable if it is gone."""
    from model.registry import STARTER

    return run.model_path(line, stored) or STARTER


def model_of(line: Line, model_id: int | None) -> models.StoredModel:
    """The model that a run names. Raises UsageError where it has none yet."""
    with line.engine.connect() as connection:
        found = models.get_model(connection, model_id) if model_id is not None else None
    if found is None:
        raise UsageError("this run has no candidate yet", "run `undertow retrain` to the end")
    return found


def start_of(line: Line, champion: models.StoredModel, row: Retraining) -> dict[str, Any]:
    """What training begins with, by the settings."""
    from model.registry import DEFAULT_BASE

    from_champion = line.settings.retrain_start_from == "champion"
    base = line.settings.model_base
    return {
        "start": folder_of(line, champion) if from_champion else None,
        "base": DEFAULT_BASE if base == "minilm-l6" else base,
        "created_at": row.started_at.isoformat(),
        "device": line.settings.model_device,
        "tracking": _tracking(line),
    }


def _tracking(line: Line) -> tuple[str, ...]:
    """Who is told of training curves. Raises ConfigurationError before hours of work rather than in them."""
    name = line.settings.tracking
    if name == "none":
        return ()
    if find_spec(name) is None:
        raise ConfigurationError(
            f"UNDERTOW_TRACKING is {name}, which is not installed", f"pip install {name}, or set it to none"
        )
    return (name,)


def loader(line: Line) -> Callable[[Path | None], Any]:
    """Loads a model by its directory, None being the starter, on the device of the settings."""
    from model.inference import Classifier

    settings = line.settings
    return lambda path: Classifier.load(path, settings.model_device, settings.model_dtype)
