"""The first page: everything over time, what moved, what is open, how the line stands."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from pipeline.desk.charts import spark
from pipeline.desk.context import Ask, Asked
from pipeline.notify.card import read_card
from pipeline.store import desk_alerts, desk_series, desk_stories
from pipeline.store.desk_rows import Row
from pipeline.store.engine import Connection

router = APIRouter()

SPARK_DAYS = 30
MOVERS = 8
ALERTS = 12
WORST = 8
# A mover needs as many stories today as make an index worth reading; below it one headline is the index.
MOVER_LEAST_STORIES = 3


@router.get("/")
def overview(ask: Ask) -> Response:
    with ask.desk.reading() as connection:
        everything = desk_series.everything(connection)
        if everything is None:
            return ask.page("welcome.html", pulse=desk_series.pulse(connection))
        return ask.page("overview.html", everything=everything, **live_parts(ask, connection))


@router.get("/parts/overview")
def overview_parts(ask: Ask) -> Response:
    """What changes on the overview, without its frame: the page's script puts it in place of the old.

    Asked every few seconds, so an unchanged line answers 304 after one small query. Not a stream of events: each
    open page would hold a connection and a thread of Airflow's server, keep the desk from stopping, and see no more.
    """
    with ask.desk.reading() as connection:
        tag = state_tag(desk_series.pulse(connection), ask.as_of)
        if ask.request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        page = ask.page("overview_live.html", **live_parts(ask, connection))
    page.headers["ETag"] = tag
    return page


def state_tag(pulse: Row, as_of: datetime) -> str:
    """The same while the line stands as it stood, a minute at most: the page says how long ago things were."""
    state = f"{as_of:%Y%m%d%H%M} {sorted(pulse.items())}"
    return f'"{hashlib.blake2b(state.encode(), digest_size=12).hexdigest()}"'


def live_parts(ask: Asked, connection: Connection) -> dict[str, Any]:
    """Series, movers, open alerts, worst stories and the state of the line."""
    rows = desk_series.series_summary(connection, ["all", "topic", "sector", "company"], ask.as_of)
    everything = next((row for row in rows if row["kind"] == "all"), None)
    topics = sorted((r for r in rows if r["kind"] == "topic"), key=lambda r: -r["stories"])
    sectors = [r for r in rows if r["kind"] == "sector"]
    moved = movers([r for r in rows if r["kind"] == "company"])
    shown = [*topics, *sectors, *moved]
    add_sparks(connection, shown, ask)
    firing = desk_alerts.firing(connection, ALERTS)
    for alert in firing:
        alert["card"] = read_card(alert["evidence"])
    return {
        "pulse": desk_series.pulse(connection),
        "total": everything,
        "topics": topics,
        "sectors": sectors,
        "movers": moved,
        "alerts": firing,
        "pending": desk_alerts.count_pending(connection),
        "worst": desk_stories.worst(connection, ask.as_of - timedelta(hours=24), ask.as_of, WORST),
    }


def movers(companies: list[Row]) -> list[Row]:
    """The companies whose index moved most against their week before, the worst first."""
    moved = [
        {**row, "change": row["index_now"] - (row["index_before"] or 0.0)}
        for row in companies
        if row["stories"] >= MOVER_LEAST_STORIES
    ]
    moved.sort(key=lambda row: -abs(row["change"]) * row["stories"] ** 0.5)
    return sorted(moved[:MOVERS], key=lambda row: row["change"])


def add_sparks(connection: Connection, rows: list[Row], ask: Asked, days: int = SPARK_DAYS) -> None:
    """Gives each row its `spark`: the daily index of the last 30 days."""
    since = ask.as_of - timedelta(days=days)
    lines = desk_series.sparks(connection, [row["id"] for row in rows], since, ask.as_of)
    for row in rows:
        row["spark"] = spark(lines.get(row["id"], []), since - timedelta(days=1), ask.as_of)
