"""One topic, company or sector: its chart, its stories, who tells them; and the list of all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse, Response

from pipeline.desk.charts import DEFAULT_RANGE, RANGES, chart, floor, read_counts
from pipeline.desk.context import Ask, Asked, Moment, SmallId
from pipeline.desk.pages.overview import add_sparks
from pipeline.store import desk_alerts, desk_series, desk_stories
from pipeline.store.desk_rows import Row
from pipeline.store.engine import Connection

router = APIRouter()

RangeName = Literal["24h", "7d", "30d", "90d", "1y", "2y"]
Kind = Literal["topic", "company", "sector"]
SPARKS_ON_A_PAGE = 120


@router.get("/series")
def series_list(ask: Ask, kind: Kind = "company") -> Response:
    with ask.desk.reading() as connection:
        rows = desk_series.series_summary(connection, [kind], ask.as_of)
        rows.sort(key=lambda row: (-row["stories"], row["title"]))
        for row in rows:
            row["spark"] = None
        add_sparks(connection, rows[:SPARKS_ON_A_PAGE], ask)
    return ask.page("series_list.html", rows=rows, kind=kind)


@router.get("/series/{series_id}")
def series(ask: Ask, series_id: SmallId, range: RangeName = DEFAULT_RANGE) -> Response:  # type: ignore[assignment]
    length, _ = RANGES[range]
    with ask.desk.reading() as connection:
        found = _found(connection, series_id)
        data = series_chart(connection, found, range, ask)
        stories, _ = desk_stories.stories(connection, story_filter(found), now=ask.as_of, limit=15)
        summary = desk_series.series_summary(connection, [found["kind"]], ask.as_of, series_id=series_id)
        sources = desk_series.sources_of(
            connection, found, ask.as_of - min(length, timedelta(days=30)), ask.as_of
        )
        past = desk_alerts.alerts(connection, limit=10, series_id=series_id)
    (now,) = summary
    table = [row for row in zip(*[data[c] for c in COLUMNS], strict=True) if sum(row[4:])]
    return ask.page(
        "series.html",
        series=found,
        now=now,
        range=range,
        ranges=list(RANGES),
        stories=stories,
        sources=sources,
        alerts=past,
        table=table[-60:][::-1],
        span_minutes=data["span_minutes"],
        more=story_query(found),
    )


COLUMNS = ("at", "index", "low", "high", "negative", "neutral", "positive")


@router.get("/series/{series_id}/stories")
def stories_then(
    ask: Ask, series_id: SmallId, at: Moment, minutes: Annotated[int, Query(ge=60, le=1440)] = 1440
) -> Response:
    """The stories of one hour or day of the chart, as a fragment."""
    with ask.desk.reading() as connection:
        found = _found(connection, series_id)
        wanted = story_filter(found, since=at, until=at + timedelta(minutes=minutes))
        rows, _ = desk_stories.stories(connection, wanted, now=ask.as_of, limit=30)
    return ask.page("stories_then.html", stories=rows, at=at, minutes=minutes)


@router.get("/series/{series_id}/scores")
def scores(ask: Ask, series_id: SmallId) -> Response:
    """The detector's scores of the last 14 days, tick by tick, for trying another threshold."""
    with ask.desk.reading() as connection:
        _found(connection, series_id)
        rows = desk_series.evaluations(connection, series_id, ask.as_of - timedelta(days=14), ask.as_of)
    return JSONResponse(
        {"at": [int(r["tick_at"].timestamp()) for r in rows], "score": [round(r["score"], 2) for r in rows]}
    )


def series_chart(
    connection: Connection, series: Row, range: str, ask: Asked, *, whole: bool = False
) -> dict[str, Any]:
    """The chart's columns with the alerts in it; `whole`: without the hour or day that had not ended, for looks into the past."""
    length, minutes = RANGES[range]
    since = ask.as_of - length
    until = floor(ask.as_of, timedelta(minutes=minutes)) if whole else ask.as_of
    first_day = floor(since, timedelta(days=1))
    lead = timedelta(hours=24) if minutes == 60 else timedelta(0)
    days = desk_series.series_points(connection, series["id"], first_day - timedelta(days=28), until, 1440)
    points = (
        days
        if minutes == 1440
        else desk_series.series_points(
            connection, series["id"], floor(since - lead, timedelta(hours=1)), until, 60
        )
    )
    drawn = chart(read_counts(points), read_counts(days), since, until, minutes)
    # over everything stand the critical alerts of all series; a series has its own
    of_all = {"severity": "critical"} if series["kind"] == "all" else {"series_id": series["id"]}
    found = desk_alerts.alerts(connection, limit=100, since=since, as_of=ask.as_of, **of_all)
    drawn["alerts"] = [
        {
            "id": alert["id"],
            "title": alert["title"],
            "at": int(began.timestamp()),
            "until": int(min(alert["resolved_at"] or ask.as_of, ask.as_of).timestamp()),
            "severity": alert["severity"],
            "state": alert["state"],
        }
        for alert in found
        if alert["state"] != "pending" and (began := alert["fired_at"] or alert["pending_at"]) <= ask.as_of
    ]
    return drawn


def story_filter(series: Row, **more: Any) -> desk_stories.StoryFilter:
    """The stories of a series."""
    if series["kind"] == "company":
        return desk_stories.StoryFilter(company_id=series["company_id"], **more)
    if series["kind"] == "topic":
        return desk_stories.StoryFilter(topic=series["key"], **more)
    if series["kind"] == "sector":
        return desk_stories.StoryFilter(sector=series["key"], **more)
    return desk_stories.StoryFilter(**more)


def story_query(series: Row) -> dict[str, Any]:
    """The same as parameters of the stories page."""
    names = {"company": ("company", "company_id"), "topic": ("topic", "key"), "sector": ("sector", "key")}
    if series["kind"] not in names:
        return {}
    parameter, column = names[series["kind"]]
    return {parameter: series[column]}


def _found(connection: Connection, series_id: int) -> Row:
    found = desk_series.find_series(connection, series_id)
    if found is None:
        raise HTTPException(404)
    return found
