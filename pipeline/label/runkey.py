"""The key of a retraining as a name of folders. Pure."""

from __future__ import annotations

import re

from pipeline.errors import UsageError

# What Airflow allows in a run id (its `allowed_run_id_pattern`), and as long as one may be.
_PLAIN = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")


def is_plain(run_key: str) -> bool:
    """True when the key names a folder and not a way to one: whatever stood there would be replaced by a model."""
    return bool(_PLAIN.fullmatch(run_key)) and bool(run_key.strip("."))


def folder_name(run_key: str) -> str:
    """Name of the folders of a run; DAG run ids hold characters that file names should not. Raises UsageError."""
    if not is_plain(run_key):
        raise UsageError(
            f"{run_key!r} cannot be the key of a retraining",
            "a key holds letters, digits and - _ . : + ~, at most 250 of them and not only dots",
        )
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", run_key)
