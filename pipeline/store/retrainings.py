"""Retrainings: one row per run, the labels that go in, what is kept for evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.label.arrivals import QuarterCount, Raised
from pipeline.label.dataset import LabelRow
from pipeline.label.schema import bring_up_to_date
from pipeline.store.engine import sql


@dataclass(frozen=True, slots=True)
class Retraining:
    """A row of retrainings."""

    id: int
    run_key: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    champion_id: int | None
    challenger_id: int | None
    label_count: int
    data: dict[str, Any]
    metrics: dict[str, Any]
    reasons: list[str]
    report_path: str | None

    @property
    def over(self) -> bool:
        """It ended with a decision or without one; its steps change nothing any more. A failed one may go on."""
        return self.state in ("promoted", "refused", "skipped")

    @property
    def overtaken(self) -> bool:
        """Another model became champion while it ran: it ended without a decision."""
        return bool(self.data.get("overtaken"))

    @property
    def declined(self) -> bool:
        """It passed the gate, and a person said no."""
        return bool(self.data.get("declined"))


def open_retraining(connection: Connection, run_key: str, champion_id: int, as_of: datetime) -> Retraining:
    """The row of `run_key`, made when it is new."""
    row = connection.execute(
        sql("retrainings_open"), {"run_key": run_key, "champion_id": champion_id, "as_of": as_of}
    ).one()
    return Retraining(**row._mapping)


def find_retraining(connection: Connection, run_key: str) -> Retraining | None:
    """The row of `run_key`, or None."""
    row = connection.execute(sql("retrainings_read"), {"run_key": run_key, "limit": 1}).one_or_none()
    return Retraining(**row._mapping) if row else None


def list_retrainings(connection: Connection, limit: int = 20) -> list[Retraining]:
    """Retrainings, the newest first."""
    rows = connection.execute(sql("retrainings_read"), {"run_key": None, "limit": limit})
    return [Retraining(**row._mapping) for row in rows]


def update_retraining(
    connection: Connection,
    run_key: str,
    *,
    state: str | None = None,
    finished_at: datetime | None = None,
    challenger_id: int | None = None,
    label_count: int | None = None,
    data: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    reasons: Sequence[str] | None = None,
    report_path: str | None = None,
) -> None:
    """Changes what is given; `data` and `metrics` are merged into what stands."""
    connection.execute(
        sql("retrainings_update"),
        {
            "run_key": run_key,
            "state": state,
            "finished_at": finished_at,
            "challenger_id": challenger_id,
            "label_count": label_count,
            "data": json.dumps(data or {}),
            "metrics": json.dumps(metrics or {}),
            "reasons": None if reasons is None else json.dumps(list(reasons)),
            "report_path": report_path,
        },
    )


def end_overtaken(connection: Connection, run_key: str, reason: str, as_of: datetime) -> None:
    """Ends a run whose champion is champion no more; its labels are new to the next one."""
    update_retraining(
        connection, run_key, state="refused", finished_at=as_of, reasons=[reason], data={"overtaken": True}
    )


def end_declined(connection: Connection, row: Retraining, as_of: datetime) -> None:
    """Ends a run that a person declined to promote; its labels count as used, as after a refusal by the gate."""
    reasons = [*row.reasons, "A person declined the promotion."]
    update_retraining(
        connection, row.run_key, state="refused", finished_at=as_of, reasons=reasons, data={"declined": True}
    )


def trained_until(connection: Connection, before: str | None = None) -> int:
    """Id of the newest label that a retraining (other than `before`) has taught some challenger; 0 when none has.

    Any challenger can be made champion by hand, so that none of these is of use to judge a champion.
    """
    query = (
        "select coalesce(max(cast(data ->> 'last_label' as bigint)), 0) from retrainings"
        " where run_key is distinct from :before and challenger_id is not null"
    )
    return int(connection.execute(sa.text(query), {"before": before}).scalar_one())


def decided_until(connection: Connection, before: str | None = None) -> int:
    """Id of the newest label that a decided retraining (other than `before`) has used; 0 when none has.

    Later ones are new.
    """
    query = (
        "select coalesce(max(cast(data ->> 'last_label' as bigint)), 0) from retrainings"
        " where state in ('promoted', 'refused', 'awaiting_approval') and data ->> 'overtaken' is null"
        " and run_key is distinct from :before"
    )
    return int(connection.execute(sa.text(query), {"before": before}).scalar_one())


def count_new_labels(connection: Connection) -> int:
    """Labels in force that no decided retraining has seen."""
    query = "select count(*) from labels where retracted_at is null and id > :seen"
    return int(connection.execute(sa.text(query), {"seen": decided_until(connection)}).scalar_one())


def read_label_rows(connection: Connection) -> list[LabelRow]:
    """Every label in force with its article, in today's words."""
    out = []
    for row in connection.execute(sql("retrainings_labels")):
        words = bring_up_to_date(
            _Words(row.sentiment, _tuple(row.topics), row.schema_version), row.schema_version
        )
        out.append(
            LabelRow(
                label_id=row.label_id,
                article_id=row.article_id,
                story_id=row.story_id,
                text=row.text,
                mentions=tuple((name, tuple((a, b) for a, b in spans)) for name, spans in row.mentions),
                target=row.target,
                company=row.company,
                sentiment=words.sentiment,
                topics=words.topics,
                labelled_by=row.labelled_by,
                queue_reason=row.queue_reason,
                available_at=row.available_at,
                may_train=row.may_train,
                frozen=row.frozen,
                point=row.point,
                oldest_label=row.oldest_label,
            )
        )
    return out


def read_unlabelled(connection: Connection, until: int) -> list[tuple[str, bool]]:
    """Texts whose labels were all taken back, and of each whether it is judged on; the others had one up to `until`."""
    rows = connection.execute(sql("retrainings_unlabelled"), {"until": until})
    return [(row.text, row.frozen) for row in rows]


@dataclass(frozen=True, slots=True)
class _Words:
    sentiment: str | None
    topics: tuple[str, ...] | None
    schema_version: int


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def freeze(connection: Connection, articles: Mapping[int, str], as_of: datetime) -> int:
    """Keeps articles for evaluation from now on, and takes them off the labelling queue. Returns how many are new."""
    statement = sa.text(
        "insert into frozen_articles (article_id, set_name, frozen_at) values (:article_id, :set_name, :as_of)"
        " on conflict do nothing"
    )
    rows = [{"article_id": a, "set_name": name, "as_of": as_of} for a, name in sorted(articles.items())]
    added = sum(connection.execute(statement, row).rowcount for row in rows)
    connection.execute(
        sa.text("update label_queue set done_at = :as_of where article_id = any(:ids) and done_at is null"),
        {"as_of": as_of, "ids": list(articles)},
    )
    return added


def adapted_until(connection: Connection) -> datetime:
    """When the encoder last read unlabelled texts, or the beginning of time."""
    query = (
        "select coalesce(max(data -> 'adapted' ->> 'until'), '1970-01-01T00:00:00+00:00') from retrainings"
    )
    return datetime.fromisoformat(connection.execute(sa.text(query)).scalar_one())


def count_texts(connection: Connection, since: datetime, until: datetime) -> int:
    """Stories that became available in (since, until]."""
    query = "select count(*) from stories where available_at > :since and available_at <= :until"
    return int(connection.execute(sa.text(query), {"since": since, "until": until}).scalar_one())


def read_texts(
    connection: Connection, since: datetime, until: datetime, languages: Sequence[str], limit: int
) -> list[str]:
    """Texts of the newest `limit` stories to adapt to, oldest first."""
    values = {"since": since, "until": until, "languages": list(languages), "limit": limit}
    return list(connection.execute(sql("retrainings_texts"), values).scalars())[::-1]


def read_quarters(
    connection: Connection, model_version_id: int, other_id: int, start: datetime, end: datetime
) -> list[QuarterCount]:
    """Counts of one version's verdicts per series and quarter of an hour, on stories that both versions have read."""
    values = {"model_version_id": model_version_id, "other_id": other_id, "start": start, "end": end}
    return [QuarterCount(*row) for row in connection.execute(sql("retrainings_replay"), values)]


def read_useful_alerts(connection: Connection, start: datetime, end: datetime) -> list[Raised]:
    """Alerts of the period that people called useful."""
    return [
        Raised(*row) for row in connection.execute(sql("retrainings_useful"), {"start": start, "end": end})
    ]


def promised_accuracy(connection: Connection, model_version_id: int) -> float | None:
    """Accuracy of a version on the frozen articles when it was promoted; None where no retraining made it."""
    query = (
        "select cast(metrics -> 'challenger' ->> 'accuracy' as double precision) from retrainings"
        " where challenger_id = :id and state = 'promoted' order by id desc limit 1"
    )
    found: float | None = connection.execute(sa.text(query), {"id": model_version_id}).scalar_one_or_none()
    return found
