"""A Parquet file holds any row that PostgreSQL gives."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from psycopg2.extras import NumericRange

from pipeline.errors import UsageError
from pipeline.store import parquet


def written(values: list[Any], *, exact: bool = True) -> list[Any]:
    file = io.BytesIO()
    parquet.write(file, ["a"], [(value,) for value in values], exact=exact)
    column: list[Any] = pq.read_table(io.BytesIO(file.getvalue())).column("a").to_pylist()
    return column


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9007199254740993, None], [9007199254740993, None]),
        ([{}, None, {"n": Decimal("1.5")}], ["{}", None, '{"n": "1.5"}']),
        ([[{}], [], [1]], ["[{}]", "[]", "[1]"]),
        ([1, "a", [True]], ["1", '"a"', "[true]"]),
        ([["x"], None, []], [["x"], None, []]),
        ([NumericRange(1, 5), None], ["[1, 5)", None]),
        ([Decimal("NaN"), Decimal("1.50")], ["NaN", "1.50"]),
        ([Decimal("1.50"), None], [Decimal("1.50"), None]),
        ([], []),
    ],
)
def test_every_value_has_a_place(values: list[Any], expected: list[Any]) -> None:
    assert written(values) == expected


def test_decimals_may_become_floats() -> None:
    assert written([Decimal("1.5"), None], exact=False) == [1.5, None]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two columns are named 'a'"):
        parquet.write(io.BytesIO(), ["a", "b", "a"], [])
