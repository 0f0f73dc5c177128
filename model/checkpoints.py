"""The folder a training run keeps its checkpoints in, and which of them it can go on from after a kill."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from model.errors import TrainingError

#: The Trainer writes it last, so a checkpoint that has it whole is whole.
_STATE: Final = "trainer_state.json"


def open_work(work: Path, run: str) -> str | None:
    """The newest whole checkpoint in `work`, which is made where it is missing; None where a run starts afresh.

    `run` says whose checkpoints they are, by settings and data: another run's are refused with TrainingError.
    """
    work.mkdir(parents=True, exist_ok=True)
    note = work / "settings.txt"
    if note.exists() and note.read_text() != run:
        raise TrainingError(
            f"{work} holds checkpoints of other settings or data; give another folder or empty it"
        )
    part = note.with_suffix(f".{os.getpid()}.partial")
    part.write_text(run)
    part.replace(note)
    return next((str(folder) for folder in _newest_first(work) if _is_whole(folder)), None)


def _newest_first(work: Path) -> list[Path]:
    found = [(folder.name.removeprefix(f"{PREFIX_CHECKPOINT_DIR}-"), folder) for folder in work.iterdir()]
    steps = [(int(step), folder) for step, folder in found if step.isdecimal() and folder.is_dir()]
    return [folder for _, folder in sorted(steps, reverse=True)]


def _is_whole(checkpoint: Path) -> bool:
    """False for what a kill left half written; the Trainer would stop on it at every attempt."""
    try:
        TrainerState.load_from_json(str(checkpoint / _STATE))
    except (OSError, ValueError, TypeError):
        return False
    return True
