"""The starter becomes champion: on a new database, and when a newer Undertow ships another one."""

from __future__ import annotations

from datetime import datetime

from model.registry import STARTER, verify
from pipeline import run
from pipeline.run import Line
from pipeline.store import models, notifications, retrainings, scores
from pipeline.store.engine import Connection


def crown(
    line: Line, connection: Connection, before: models.StoredModel | None, as_of: datetime
) -> models.StoredModel:
    """Registers the starter that ships and makes it champion after `before`, in a transaction that has the alias locked."""
    manifest = verify(STARTER)
    stored = models.register_model(
        connection, version=manifest.version, path=run.STARTER, manifest=manifest.to_json(), as_of=as_of
    )
    if before is None:
        models.point_alias(
            connection, stored.version, by="first run", reason="the starter that ships", as_of=as_of
        )
    else:
        _follow(line, connection, before, stored, as_of)
    return stored


def _follow(
    line: Line,
    connection: Connection,
    before: models.StoredModel,
    stored: models.StoredModel,
    as_of: datetime,
) -> None:
    reason = "the starter that ships with this version of Undertow"
    queued = run.switch_champion(line, connection, stored, by="undertow", reason=reason, as_of=as_of)
    for row in retrainings.list_retrainings(connection):
        # it could neither go on nor compare without the files of its champion, and would be taken up for ever
        if row.champion_id == before.id and row.state in ("running", "failed"):
            if row.challenger_id is not None:
                scores.dequeue_rescore(connection, row.challenger_id)
            over = f"the champion left with an upgrade while run {row.run_key} was under way"
            retrainings.end_overtaken(connection, row.run_key, over, as_of)
    lines = [
        f"{stored.version}, {reason}, took over from {before.version}.",
        f"{queued} stories wait for it: the DAG `history` reads them.",
    ]
    receiver = line.settings.operator_receiver
    notifications.tell_operator(
        connection, receiver, "A new starter is champion", lines, f"starter:{stored.version}", as_of
    )
