"""Rows as a Parquet file, whatever is in them: JSON is text there, and so is a column that Arrow has no type for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from pipeline.errors import UsageError


def write(
    where: Path | IO[bytes], names: Sequence[str], rows: Sequence[tuple[Any, ...]], *, exact: bool = True
) -> None:
    """Write `rows`. `exact`: numerics stay decimals; without it they become floats, which every chart reads.

    Raises UsageError where two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_names(names)
    columns = [_array([row[place] for row in rows], exact=exact) for place in range(len(names))]
    pq.write_table(pa.Table.from_arrays(columns, names=list(names)), where, compression="zstd")


def check_names(names: Sequence[str]) -> None:
    """Raises UsageError where two columns have one name: programs cannot tell them apart."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two columns are named {twice[0]!r}", "name one of them anew with `as`")


def _array(values: list[Any], *, exact: bool) -> Any:
    import pyarrow as pa

    if any(_is_json(value) for value in values):
        return pa.array(_texts(values))
    if not exact and any(isinstance(value, Decimal) for value in values):
        return pa.array([None if value is None else float(value) for value in values])
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):  # JSON of several kinds, ranges, the numeric NaN
        return pa.array(_texts(values))


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _texts(values: list[Any]) -> list[str | None]:
    return [None if value is None else _text(value) for value in values]


def _text(value: Any) -> str:
    # A range, a numeric: as PostgreSQL writes it, not as a JSON string.
    known = isinstance(value, dict | list | str | bool | int | float)
    return json.dumps(value, default=str) if known else str(value)
