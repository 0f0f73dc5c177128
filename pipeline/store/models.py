"""Model versions and the history of their aliases. The newest event of an alias is in force, so a switch is one insert."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.engine import sql

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A row of model_versions, without its manifest."""

    id: int
    version: str
    path: str
    created_at: datetime
    base_model: str
    languages: tuple[str, ...]
    state: str
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AliasEvent:
    """One switch of an alias."""

    alias: str
    version: str
    set_at: datetime
    set_by: str
    reason: str


def register_model(
    connection: Connection,
    *,
    version: str,
    path: str,
    manifest: Mapping[str, Any],
    as_of: datetime,
    parent: str | None = None,
) -> StoredModel:
    """Stores a model version, or finds it: versions are immutable, the path may move."""
    connection.execute(
        sql("models_register"),
        {
            "version": version,
            "path": path,
            "created_at": as_of,
            "parent": parent,
            "base_model": str(manifest.get("base", {}).get("name", "")),
            "languages": list(manifest.get("languages") or ["en"]),
            "manifest": json.dumps(manifest),
            "metrics": json.dumps(manifest.get("metrics", {})),
        },
    )
    stored = find_model(connection, version)
    assert stored is not None
    return stored


def find_model(connection: Connection, version: str) -> StoredModel | None:
    """The model with this version, or None."""
    row = connection.execute(sql("models_list"), {"version": version}).one_or_none()
    return _model(row) if row else None


def get_model(connection: Connection, model_id: int) -> StoredModel | None:
    """The model with this key, or None."""
    version = connection.execute(
        sa.text("select version from model_versions where id = :id"), {"id": model_id}
    ).scalar_one_or_none()
    return None if version is None else find_model(connection, version)


def read_manifest(connection: Connection, version: str) -> dict[str, Any]:
    """The manifest of a stored version as it was registered."""
    query = "select manifest from model_versions where version = :version"
    return dict(connection.execute(sa.text(query), {"version": version}).scalar_one())


def lock_alias(connection: Connection, alias: str = CHAMPION) -> None:
    """One switch of the alias at a time, until the transaction ends."""
    connection.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended('alias:' || :alias, 0))"), {"alias": alias}
    )


def hold_alias(connection: Connection, alias: str = CHAMPION) -> None:
    """No switch of the alias until the transaction ends; any number may hold it at once."""
    connection.execute(
        sa.text("select pg_advisory_xact_lock_shared(hashtextextended('alias:' || :alias, 0))"),
        {"alias": alias},
    )


def list_models(connection: Connection) -> list[StoredModel]:
    """All models, the newest first."""
    return [_model(row) for row in connection.execute(sql("models_list"), {"version": None})]


def champion(
    connection: Connection, *, as_of: datetime | None = None, alias: str = CHAMPION
) -> StoredModel | None:
    """The model that scores (at `as_of`; None: by the newest switch), or None when nothing was promoted yet."""
    row = connection.execute(sql("models_champion"), {"alias": alias, "as_of": as_of}).one_or_none()
    return _model(row) if row else None


def is_replaced(connection: Connection, model_id: int) -> bool:
    """Is another model champion by now? While nothing was ever promoted, none is."""
    current = champion(connection)
    return current is not None and current.id != model_id


def point_alias(
    connection: Connection, version: str, *, by: str, reason: str, as_of: datetime, alias: str = CHAMPION
) -> None:
    """Makes `version` the one that `alias` names from `as_of` on; an atomic switch, nothing is overwritten."""
    connection.execute(
        sql("models_point_alias"),
        {"alias": alias, "version": version, "set_by": by, "reason": reason, "set_at": as_of},
    )
    if alias == CHAMPION:
        set_state(connection, version, "promoted")


def set_state(connection: Connection, version: str, state: str) -> None:
    """Marks a version candidate, rejected, promoted or retired."""
    connection.execute(
        sa.text("update model_versions set state = :state where version = :version"),
        {"state": state, "version": version},
    )


def alias_history(connection: Connection, alias: str = CHAMPION) -> list[AliasEvent]:
    """Every switch of the alias, the newest first."""
    rows = connection.execute(sql("models_alias_history"), {"alias": alias})
    return [AliasEvent(*row) for row in rows]


def _model(row: Any) -> StoredModel:
    return StoredModel(
        row.id,
        row.version,
        row.path,
        row.created_at,
        row.base_model,
        tuple(row.languages),
        row.state,
        row.metrics,
    )
