"""What the desk shows of models: versions with metrics, the history of the champion, retrainings, drift."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.store.desk_rows import Row, fetch


def versions(connection: Connection) -> list[Row]:
    """All versions, the newest first, with their metrics and whether they are champion."""
    return _rows(
        connection,
        "select version.id, version.version, version.created_at, parent.version as parent, version.base_model, version.state,"
        " version.languages, version.metrics, coalesce(version.id = (select model_version_id from champion_periods"
        " where ends_at = 'infinity'), false) as is_champion from model_versions as version"
        " left join model_versions as parent on parent.id = version.parent_id order by version.created_at desc, version.id desc",
    )


def history(connection: Connection) -> list[Row]:
    """Who made which version champion, when and why; the newest first."""
    return _rows(
        connection,
        "select event.id, version.version, event.set_at, event.set_by, event.reason from model_alias_events as event"
        " join model_versions as version on version.id = event.model_version_id where event.alias = 'champion'"
        " order by event.set_at desc, event.id desc limit 50",
    )


def retrainings(connection: Connection) -> list[Row]:
    """The last retrainings with what the gate said."""
    return _rows(connection, "select * from analytics.retrainings order by started_at desc limit 20")


def drift(connection: Connection) -> list[Row]:
    """The newest report of each kind and subject, the largest effects first within a kind."""
    return _rows(
        connection,
        "select * from (select distinct on (kind, subject) * from analytics.drift order by kind, subject, as_of desc) as newest"
        " order by kind, effect desc limit 60",
    )


def labelled_verdicts(connection: Connection) -> list[Row]:
    """The champion's verdicts on labelled stories it was not trained on: label, verdict, tenth of its probability, how many."""
    return fetch(connection, "desk_labelled_verdicts")


def _rows(connection: Connection, query: str) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.text(query)).mappings()]
