"""Look for better settings with Optuna, through transformers' own search; the best come back as a TrainConfig."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import set_seed

from model.checkpoints import open_work
from model.data import Source, digest_of
from model.finetune import make_trainer, read_split, start_network
from model.training import TrainConfig


@dataclass(frozen=True)
class SearchResult:
    """The best settings found, what they scored (mean macro F1 over heads), and every trial."""

    config: TrainConfig
    score: float
    trials: int


def space(trial: Any) -> dict[str, Any]:
    """Where to look: what TrainingArguments knows. The rest of the space is drawn in `drawn`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 2e-5, 4e-4, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 0.001, 0.1, log=True),
    }


def drawn(trial: Any, config: TrainConfig) -> TrainConfig:
    """The settings of a trial that only we know."""
    return dataclasses.replace(
        config,
        head_factor=trial.suggest_float("head_factor", 1.0, 10.0, log=True),
        layer_decay=trial.suggest_float("layer_decay", 0.7, 1.0),
        smoothing=trial.suggest_float("smoothing", 0.0, 0.15),
        class_power=trial.suggest_float("class_power", 0.0, 1.0),
    )


def search(
    config: TrainConfig,
    sources: Sequence[Source],
    work: Path,
    *,
    trials: int = 10,
    device: str = "auto",
) -> SearchResult:
    """Train `trials` times with drawn settings and keep the best; a study in `work` goes on where it stopped.

    Raises TrainingError where that was a study of other settings or data.
    """
    split = read_split(sources, config)
    # Scores of other settings or data would be compared with ours.
    open_work(work, f"{config!r}\n{digest_of(sources)}")
    set_seed(config.seed)
    holder: dict[str, Any] = {}

    def model_init(trial: Any = None) -> Any:
        mine = drawn(trial, config) if trial is not None else config
        if "trainer" in holder:
            holder["trainer"].config = mine
        return start_network(mine, split.train).network

    trainer = make_trainer(
        config, start_network(config, split.train), split, work, device, model_init=model_init
    )
    holder["trainer"] = trainer
    best: Any = trainer.hyperparameter_search(
        hp_space=space,
        compute_objective=lambda metrics: metrics["eval_mean_f1"],
        n_trials=trials,
        direction="maximize",
        backend="optuna",
        storage=f"sqlite:///{work / 'study.db'}",
        study_name="undertow",
        load_if_exists=True,
    )
    found = {
        k: v for k, v in best.hyperparameters.items() if k in {f.name for f in dataclasses.fields(config)}
    }
    return SearchResult(dataclasses.replace(config, **found), float(best.objective), trials)
