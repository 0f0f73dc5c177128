"""Baselines as stored: one row for the night, one for each series. A stored one never changes; a better one is added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.engine import sql


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """A baseline as detect/night.py writes and reads it: `packed`, or else the parameters of its series."""

    id: int
    built_for: date
    built_at: datetime
    model_version_id: int
    pooled: dict[str, Any]
    packed: bytes | None
    parameters: dict[int, dict[str, Any]]


def save_baseline(
    connection: Connection,
    *,
    built_for: date,
    built_at: datetime,
    model_version_id: int,
    rule_version: str,
    pooled: Mapping[str, Any],
    parameters: Mapping[int, Mapping[str, Any]],
    packed: bytes,
) -> int | None:
    """Adds a baseline and returns its id; None where the same one is there already."""
    baseline_id = connection.execute(
        sa.text(
            "insert into baselines (built_for, built_at, model_version_id, rule_version, pooled, packed)"
            " values (:built_for, :built_at, :model_version_id, :rule_version, cast(:pooled as jsonb), :packed)"
            " on conflict do nothing returning id"
        ),
        {
            "built_for": built_for,
            "built_at": built_at,
            "model_version_id": model_version_id,
            "rule_version": rule_version,
            "pooled": json.dumps(dict(pooled)),
            "packed": packed,
        },
    ).scalar_one_or_none()
    if baseline_id is None:
        return None
    connection.execute(
        sql("baselines_save_series"),
        {
            "baseline_id": baseline_id,
            "series_ids": list(parameters),
            "parameters": [json.dumps(dict(p)) for p in parameters.values()],
        },
    )
    return int(baseline_id)


def find_baseline(connection: Connection, day: date, rule_version: str) -> StoredBaseline | None:
    """The newest baseline built for `day` by this statistic, or None."""
    row = connection.execute(
        sa.text(
            "select id, built_for, built_at, model_version_id, pooled, packed from baselines"
            " where built_for = :day and rule_version = :rule_version order by built_at desc, id desc limit 1"
        ),
        {"day": day, "rule_version": rule_version},
    ).one_or_none()
    return None if row is None else _with_series(connection, row)


def get_baseline(connection: Connection, baseline_id: int) -> StoredBaseline:
    """The baseline with this id."""
    query = sa.text(
        "select id, built_for, built_at, model_version_id, pooled, packed from baselines where id = :id"
    )
    return _with_series(connection, connection.execute(query, {"id": baseline_id}).one())


def _with_series(connection: Connection, row: Any) -> StoredBaseline:
    packed = bytes(row.packed) if row.packed is not None else None
    parameters = {} if packed else _parameters(connection, row.id)
    return StoredBaseline(
        row.id, row.built_for, row.built_at, row.model_version_id, dict(row.pooled), packed, parameters
    )


def _parameters(connection: Connection, baseline_id: int) -> dict[int, dict[str, Any]]:
    query = sa.text("select series_id, parameters from baseline_series where baseline_id = :id")
    return {r.series_id: dict(r.parameters) for r in connection.execute(query, {"id": baseline_id})}
