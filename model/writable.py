"""Whether a result can be written where somebody wants it, asked before the work that makes it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import DataError


def _why_not(file: Path) -> str:
    """Why this file cannot be written, in the words of the operating system; nothing if it can."""
    try:
        if file.is_dir():
            return os.strerror(errno.EISDIR)
        if file.exists():
            return "" if os.access(file, os.W_OK) else os.strerror(errno.EACCES)
        return _why_not_in(file.parent) if file.parent.exists() else os.strerror(errno.ENOENT)
    except OSError as error:  # a folder above it may not even be looked into
        return error.strerror or str(error)


def _why_not_in(folder: Path) -> str:
    if not folder.is_dir():
        return os.strerror(errno.ENOTDIR)
    return "" if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def check_folder(folder: Path) -> None:
    """Raises DataError if nothing can be written into this folder, which is made with those above it if it is missing."""
    try:
        reason = _why_not_in(next(path for path in (folder, *folder.parents) if path.exists()))
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise _refused(folder, reason)


def check_file(file: Path | None) -> None:
    """Raises DataError if there is a file to write that cannot be written."""
    if file is not None and (reason := _why_not(file)):
        raise _refused(file, reason)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """What the block writes to `file`. Raises DataError where it cannot: a disk may be full by then."""
    try:
        yield
    except OSError as error:
        raise _refused(file, error.strerror or str(error)) from error


def _refused(file: Path, reason: str) -> DataError:
    return DataError(f"cannot write {file} ({reason}); choose another place")
